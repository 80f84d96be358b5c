// SPDX-License-Identifier: MIT
// nm_link between players and recorders for everything that passes in bulk, and with a weight memory.
`default_nettype none

module tb_nm_link #(
    parameter FEATURES = 1,
    parameter CONFIRM_CYCLES = 60_000
) (
    input  wire rst,
    output wire [11:0] divisor,
    input  wire rx_framing_error,
    input  wire rx_break,
    input  wire tx_idle,
    output wire stream_rst,
    output wire [15:0] mode_mask,
    input  wire res_valid,
    output wire res_ready,
    output wire res_full,
    input  wire [31:0] res_index,
    input  wire [31:0] res_cycles,
    input  wire res_frame,
    input  wire res_zero,
    input  wire res_features,
    input  wire [10:0] res_len,
    input  wire res_dropped,
    output wire weights_valid,
    input  wire w_accept,
    input  wire host_start,
    input  wire [15:0] host_count,
    input  wire [7:0] host_gap,
    output wire host_busy,
    input  wire [8:0] tx_pause,
    output wire [31:0] tx_count,
    input  wire [8:0] pcm_pause,
    output wire [31:0] pcm_count,
    input  wire [8:0] feat_pause,
    output wire [31:0] feat_count,
    input  wire body_start,
    input  wire [15:0] body_count,
    input  wire [8:0] body_pause,
    output wire body_busy
);

  reg clk = 1'b0;  // one from Python would cost most of the time
  always #10 clk = ~clk;

  wire rx_valid;
  wire [7:0] rx_data;
  wire tx_valid;
  wire tx_ready;
  wire [7:0] tx_data;
  wire pcm_valid;
  wire pcm_ready;
  wire [15:0] pcm_data;
  wire pcm_first;
  wire [31:0] pcm_index;
  wire pcm_zero;
  wire feat_valid;
  wire feat_ready;
  wire [15:0] feat_data;
  wire feat_first;
  wire [31:0] feat_index;
  wire body_valid;
  wire body_ready;
  wire [7:0] body_data;

  reg  [7:0]  memory[0:16383];
  reg  [7:0]  w_rdata;
  wire        w_en, w_re;
  wire [15:0] w_addr;
  wire [7:0]  w_data;

  always @(posedge clk) begin
    if (w_en) memory[w_addr[13:0]] <= w_data;
    if (w_re) w_rdata <= memory[w_addr[13:0]];
  end

  sim_player host (
      .clk(clk), .start(host_start), .count(host_count), .gap(host_gap), .pause(9'd0), .busy(host_busy),
      .valid(rx_valid), .ready(1'b1), .data(rx_data)
  );
  sim_recorder #(.WIDTH(8)) tx (
      .clk(clk), .pause(tx_pause), .count(tx_count), .valid(tx_valid), .ready(tx_ready), .data(tx_data)
  );
  sim_recorder #(.WIDTH(50)) pcm (
      .clk(clk), .pause(pcm_pause), .count(pcm_count), .valid(pcm_valid), .ready(pcm_ready),
      .data({pcm_zero, pcm_first, pcm_index, pcm_data})
  );
  sim_recorder #(.WIDTH(50)) feat (
      .clk(clk), .pause(feat_pause), .count(feat_count), .valid(feat_valid), .ready(feat_ready),
      .data({1'b0, feat_first, feat_index, feat_data})
  );
  sim_player body (
      .clk(clk), .start(body_start), .count(body_count), .gap(8'd0), .pause(body_pause), .busy(body_busy),
      .valid(body_valid), .ready(body_ready), .data(body_data)
  );

  nm_link #(
      .FEATURES(FEATURES),
      .CONFIRM_CYCLES(CONFIRM_CYCLES)
  ) link (
      .clk(clk),
      .rst(rst),
      .divisor(divisor),
      .rx_valid(rx_valid),
      .rx_data(rx_data),
      .rx_framing_error(rx_framing_error),
      .rx_break(rx_break),
      .tx_valid(tx_valid),
      .tx_ready(tx_ready),
      .tx_data(tx_data),
      .tx_idle(tx_idle),
      .stream_rst(stream_rst),
      .pcm_valid(pcm_valid),
      .pcm_ready(pcm_ready),
      .pcm_data(pcm_data),
      .pcm_first(pcm_first),
      .pcm_index(pcm_index),
      .pcm_zero(pcm_zero),
      .feat_valid(feat_valid),
      .feat_ready(feat_ready),
      .feat_data(feat_data),
      .feat_first(feat_first),
      .feat_index(feat_index),
      .mode_mask(mode_mask),
      .res_valid(res_valid),
      .res_ready(res_ready),
      .res_full(res_full),
      .res_index(res_index),
      .res_cycles(res_cycles),
      .res_frame(res_frame),
      .res_zero(res_zero),
      .res_features(res_features),
      .res_len(res_len),
      .res_dropped(res_dropped),
      .body_valid(body_valid),
      .body_ready(body_ready),
      .body_data(body_data),
      .weights_valid(weights_valid),
      .w_en(w_en),
      .w_re(w_re),
      .w_addr(w_addr),
      .w_data(w_data),
      .w_rdata(w_rdata),
      .w_accept(w_accept)
  );

endmodule

`default_nettype wire
