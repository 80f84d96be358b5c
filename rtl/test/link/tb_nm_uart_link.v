// SPDX-License-Identifier: MIT
// nm_uart_link with the memory that the core would have: one byte a cycle, read one cycle later.
`default_nettype none

module tb_nm_uart_link #(
    parameter [11:0] DEFAULT_DIVISOR = 8,
    parameter CONFIRM_CYCLES = 60_000
) (
`ifndef __ICARUS__
    input  wire clk,
`endif
    input  wire rst,
    input  wire rxd,
    output wire txd,
    output wire rx_led,
    output wire tx_led,
    output wire stream_rst,
    output wire pcm_valid,
    input  wire pcm_ready,
    output wire [15:0] pcm_data,
    output wire pcm_first,
    output wire [31:0] pcm_index,
    output wire pcm_zero,
    output wire feat_valid,
    input  wire feat_ready,
    output wire [15:0] feat_data,
    output wire feat_first,
    output wire [31:0] feat_index,
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
    input  wire body_valid,
    output wire body_ready,
    input  wire [7:0] body_data,
    output wire weights_valid,
    input  wire w_accept
);

`ifdef __ICARUS__  // where a clock from Python would cost most of the time
  reg clk = 1'b0;
  always #10 clk = ~clk;
`endif

  reg  [7:0]  memory[0:16383];
  reg  [7:0]  w_rdata;
  wire        w_en;
  wire [15:0] w_addr;
  wire [7:0]  w_data;

  always @(posedge clk) begin
    if (w_en) memory[w_addr[13:0]] <= w_data;
    w_rdata <= memory[w_addr[13:0]];
  end

  nm_uart_link #(
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES(CONFIRM_CYCLES)
  ) link (
      .clk(clk),
      .rst(rst),
      .rxd(rxd),
      .txd(txd),
      .rx_led(rx_led),
      .tx_led(tx_led),
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
      .w_addr(w_addr),
      .w_data(w_data),
      .w_rdata(w_rdata),
      .w_accept(w_accept)
  );

endmodule

`default_nettype wire
