// SPDX-License-Identifier: MIT
// The whole device on a byte boundary: link and core. A board puts a UART in front (nm_top.v), a virtual board a file.
//
// Line: `rx_valid` strobes one received byte, never held back; `rx_framing_error` and `rx_break` strobe what a UART
// found wrong. `tx_*` is valid/ready; `tx_idle` is high when no bit is on the line any more. `divisor` is the number of
// clocks per bit that the host has asked for.
// Status: `loaded` weights are committed; `busy` a frame is being computed; `word_valid` strobes with every result of a
// frame, and `word` is then its class with the largest logit (kwscore.LABELS).
// BUILD is of the sources' hash, first byte lowest; TAG four letters, first lowest; MODEL_ID not 0: the memories hold
// these weights from the start.
`default_nettype none
`include "nm_program.vh"

module nm_device #(
    parameter [31:0] CLOCK_HZ = 32'd50_000_000,
    parameter [11:0] DEFAULT_DIVISOR = 12'd50,
    parameter CONFIRM_CYCLES = 25_000_000,  // half a second for HELLO after SET_BAUD
    parameter [63:0] BUILD = 64'd0,
    parameter [31:0] TAG = 32'h204D4953,    // "SIM "
    parameter [31:0] MODEL_ID = 32'd0
) (
    input  wire        clk,
    input  wire        rst,
    // line
    output wire [11:0] divisor,
    input  wire        rx_valid,
    input  wire [7:0]  rx_data,
    input  wire        rx_framing_error,
    input  wire        rx_break,
    output wire        tx_valid,
    input  wire        tx_ready,
    output wire [7:0]  tx_data,
    input  wire        tx_idle,
    // status
    output wire        loaded,
    output wire        busy,
    output wire        word_valid,
    output wire [3:0]  word
);

  wire        stream_rst;
  wire        pcm_valid, pcm_ready, pcm_first, pcm_zero;
  wire [15:0] pcm_data;
  wire [31:0] pcm_index;
  wire [15:0] mode_mask;
  wire        res_valid, res_ready, res_full, res_frame, res_zero;
  wire [31:0] res_index, res_cycles;
  wire [10:0] res_len;
  wire        body_valid, body_ready;
  wire [7:0]  body_data;
  wire        w_en, w_re, w_accept;
  wire [15:0] w_addr;
  wire [7:0]  w_data, w_rdata;

  wire        feat_valid, feat_ready, feat_first, res_features;
  wire [15:0] feat_data;
  wire [31:0] feat_index;
  wire        unused = &{1'b0, feat_first};

  nm_link #(
      .CLOCK_HZ       (CLOCK_HZ),
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES (CONFIRM_CYCLES),
      .BUILD          (BUILD),
      .TAG            (TAG),
      .MODEL_ID       (MODEL_ID),
      .WEIGHT_BYTES   (`NM_LITERAL_BYTE),
      .FEATURES       (1),
      .N_MELS         (`NM_LEN_MEL),
      .CLASSES        (`NM_LEN_LOGITS),
      .EXPERTS        (`NM_SIZE_EXPERTS),
      .BLOCKS         (`NM_SIZE_LAYERS),
      .CHANNELS       (`NM_SIZE_CHANNELS)
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
      .res_dropped     (1'b0),  // the core waits instead
      .body_valid      (body_valid),
      .body_ready      (body_ready),
      .body_data       (body_data),
      .weights_valid   (loaded),
      .w_en            (w_en),
      .w_re            (w_re),
      .w_addr          (w_addr),
      .w_data          (w_data),
      .w_rdata         (w_rdata),
      .w_accept        (w_accept)
  );

  nm_core core (
      .clk          (clk),
      .rst          (rst),
      .stream_rst   (stream_rst),
      .pcm_valid    (pcm_valid),
      .pcm_ready    (pcm_ready),
      .pcm_data     (pcm_data),
      .pcm_first    (pcm_first),
      .pcm_index    (pcm_index),
      .pcm_zero     (pcm_zero),
      .feat_valid   (feat_valid),
      .feat_ready   (feat_ready),
      .feat_data    (feat_data),
      .feat_index   (feat_index),
      .mode_mask    (mode_mask),
      .res_valid    (res_valid),
      .res_ready    (res_ready),
      .res_full     (res_full),
      .res_index    (res_index),
      .res_cycles   (res_cycles),
      .res_frame    (res_frame),
      .res_zero     (res_zero),
      .res_features (res_features),
      .res_len      (res_len),
      .body_valid   (body_valid),
      .body_ready   (body_ready),
      .body_data    (body_data),
      .weights_valid(loaded),
      .w_en         (w_en),
      .w_re         (w_re),
      .w_addr       (w_addr),
      .w_data       (w_data),
      .w_rdata      (w_rdata),
      .w_accept     (w_accept),
      .busy         (busy),
      .word_valid   (word_valid),
      .word         (word)
  );

endmodule

`default_nettype wire
