// SPDX-License-Identifier: MIT
// nm_link behind a UART: what a board's top holds. See nm_link.v for parameters and the ports of the core.
// `rx_led`, `tx_led` are high while a byte passes.
`default_nettype none

module nm_uart_link #(
    parameter [31:0] CLOCK_HZ = 32'd50_000_000,
    parameter [11:0] DEFAULT_DIVISOR = 12'd50,
    parameter CONFIRM_CYCLES = 25_000_000,
    parameter [63:0] BUILD = 64'd0,
    parameter [31:0] TAG = 32'h204D4953,
    parameter [31:0] MODEL_ID = 32'd0,
    parameter WEIGHT_BYTES = 16384,
    parameter [15:0] MASK = 16'h007F,
    parameter FEATURES = 0,
    parameter [7:0] N_MELS = 8'd40,
    parameter [7:0] CLASSES = 8'd12,
    parameter [7:0] EXPERTS = 8'd2,
    parameter [7:0] BLOCKS = 8'd2,
    parameter [7:0] CHANNELS = 8'd24
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        rxd,
    output wire        txd,
    output wire        rx_led,
    output wire        tx_led,
    output wire        stream_rst,
    output wire        pcm_valid,
    input  wire        pcm_ready,
    output wire [15:0] pcm_data,
    output wire        pcm_first,
    output wire [31:0] pcm_index,
    output wire        pcm_zero,
    output wire        feat_valid,
    input  wire        feat_ready,
    output wire [15:0] feat_data,
    output wire        feat_first,
    output wire [31:0] feat_index,
    output wire [15:0] mode_mask,
    input  wire        res_valid,
    output wire        res_ready,
    output wire        res_full,
    input  wire [31:0] res_index,
    input  wire [31:0] res_cycles,
    input  wire        res_frame,
    input  wire        res_zero,
    input  wire        res_features,
    input  wire [10:0] res_len,
    input  wire        res_dropped,
    input  wire        body_valid,
    output wire        body_ready,
    input  wire [7:0]  body_data,
    output wire        weights_valid,
    output wire        w_en,
    output wire [15:0] w_addr,
    output wire [7:0]  w_data,
    input  wire [7:0]  w_rdata,
    input  wire        w_accept
);

  wire        rx_valid, rx_framing_error, rx_break, tx_valid, tx_ready, tx_idle;
  wire [7:0]  rx_data, tx_data;
  wire [11:0] divisor;

  uart_rx receiver (
      .clk          (clk),
      .rst          (rst),
      .divisor      (divisor),
      .rxd          (rxd),
      .m_valid      (rx_valid),
      .m_data       (rx_data),
      .framing_error(rx_framing_error),
      .line_break   (rx_break)
  );

  uart_tx sender (
      .clk    (clk),
      .rst    (rst),
      .divisor(divisor),
      .s_valid(tx_valid),
      .s_ready(tx_ready),
      .s_data (tx_data),
      .txd    (txd),
      .idle   (tx_idle)
  );

  assign rx_led = ~rxd;
  assign tx_led = ~tx_idle;

  nm_link #(
      .CLOCK_HZ       (CLOCK_HZ),
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES (CONFIRM_CYCLES),
      .BUILD          (BUILD),
      .TAG            (TAG),
      .MODEL_ID       (MODEL_ID),
      .WEIGHT_BYTES   (WEIGHT_BYTES),
      .MASK           (MASK),
      .FEATURES       (FEATURES),
      .N_MELS         (N_MELS),
      .CLASSES        (CLASSES),
      .EXPERTS        (EXPERTS),
      .BLOCKS         (BLOCKS),
      .CHANNELS       (CHANNELS)
  ) link (
      .clk             (clk),
      .rst             (rst),
      .divisor         (divisor),
      .rx_valid        (rx_valid),
      .rx_data         (rx_data),
      .rx_framing_error(rx_framing_error),
      .rx_break        (rx_break),
      .tx_valid        (tx_valid),
      .tx_ready        (tx_ready),
      .tx_data         (tx_data),
      .tx_idle         (tx_idle),
      .stream_rst      (stream_rst),
      .pcm_valid       (pcm_valid),
      .pcm_ready       (pcm_ready),
      .pcm_data        (pcm_data),
      .pcm_first       (pcm_first),
      .pcm_index       (pcm_index),
      .pcm_zero        (pcm_zero),
      .feat_valid      (feat_valid),
      .feat_ready      (feat_ready),
      .feat_data       (feat_data),
      .feat_first      (feat_first),
      .feat_index      (feat_index),
      .mode_mask       (mode_mask),
      .res_valid       (res_valid),
      .res_ready       (res_ready),
      .res_full        (res_full),
      .res_index       (res_index),
      .res_cycles      (res_cycles),
      .res_frame       (res_frame),
      .res_zero        (res_zero),
      .res_features    (res_features),
      .res_len         (res_len),
      .res_dropped     (res_dropped),
      .body_valid      (body_valid),
      .body_ready      (body_ready),
      .body_data       (body_data),
      .weights_valid   (weights_valid),
      .w_en            (w_en),
      .w_addr          (w_addr),
      .w_data          (w_data),
      .w_rdata         (w_rdata),
      .w_accept        (w_accept)
  );

endmodule

`default_nettype wire
