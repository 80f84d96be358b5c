// SPDX-License-Identifier: MIT
// The link of a board, from bytes of the line to the ports of the core (protocol: docs in kwscore/board/protocol.py).
//
// Line: `rx_*` strobes from uart_rx, `tx_*` valid/ready to uart_tx, `tx_idle` when its last stop bit is over.
// Core, all of one clock, valid/ready meaning a transfer in each cycle where both are high:
//   pcm_*    signed 16-bit samples, 160 to a hop; `pcm_first` with the first; `pcm_index` (of that first sample) and
//            `pcm_zero` (the hop was lost and is taken as zeros) stay for the whole hop. Return both with its result.
//   feat_*   80 words of a FEAT_FRAME, `feat_first` with the first; taken within bounded time. Only with FEATURES = 1.
//   res_*    one for every hop and feature frame: index, cycles spent, `res_frame` (0 while the first frame is not
//            complete), zero flag, features flag, and `res_len`, the length of the fields that `mode_mask` asks for
//            without COUNTERS. When `res_full` is high at the transfer, the core then offers exactly `res_len` bytes
//            on body_*, else none.
//   w_*      byte-wide weight memory: `w_en` writes; `w_re` reads, `w_rdata` is the byte of `w_addr` one cycle later.
//            `w_accept`: the core's own judgement of the image, looked at on COMMIT.
//   stream_rst  one cycle: forget samples, state and unsent results. `weights_valid`: an image is committed.
`default_nettype none
`include "protocol.vh"

module nm_link #(
    parameter [31:0] CLOCK_HZ = 32'd50_000_000,
    parameter [11:0] DEFAULT_DIVISOR = 12'd50,
    parameter CONFIRM_CYCLES = 25_000_000,     // half a second
    parameter [63:0] BUILD = 64'd0,            // of the sources' hash, first byte lowest
    parameter [31:0] TAG = 32'h204D4953,       // "SIM ", first letter lowest
    parameter [31:0] MODEL_ID = 32'd0,         // of the weights in the bitstream, 0 for none
    parameter [15:0] WEIGHT_BYTES = 16'd16384,
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
    // core: audio and features
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
    // core: results
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
    input  wire        res_dropped,            // strobe: the core had to throw a result away
    input  wire        body_valid,
    output wire        body_ready,
    input  wire [7:0]  body_data,
    // core: weights
    output wire        weights_valid,
    output wire        w_en,
    output wire        w_re,
    output wire [15:0] w_addr,
    output wire [7:0]  w_data,
    input  wire [7:0]  w_rdata,
    input  wire        w_accept
);

  localparam [3:0] MAX_ERRORS = `KWS_MAX_FRAMING_ERRORS;
  localparam [15:0] RX_FIFO = 16'd2048;  // bytes of samples in pcm_fifo
  localparam [0:0] FEATURES1 = FEATURES != 0;

  // ---- line in --------------------------------------------------------------------------------------------------
  reg [3:0] errors_q = 4'd0;  // framing errors in a row
  wire      line_lost = rx_break || (rx_framing_error && errors_q == MAX_ERRORS - 4'd1);

  always @(posedge clk)
    if (rst || line_lost || rx_valid) errors_q <= 4'd0;
    else if (rx_framing_error) errors_q <= errors_q + 4'd1;

  wire       dec_valid, dec_end, dec_ok;
  wire [7:0] dec_data;

  cobs_decoder decoder (
      .clk    (clk),
      .rst    (rst),
      .flush  (line_lost),
      .s_valid(rx_valid),
      .s_data (rx_data),
      .m_valid(dec_valid),
      .m_data (dec_data),
      .m_end  (dec_end),
      .m_ok   (dec_ok)
  );

  wire        frame_valid, frame_done, good, bad, lost;
  wire [7:0]  frame_version, frame_type;
  wire [15:0] frame_seq, frame_len;
  wire [9:0]  rd_addr;
  wire [7:0]  rd_data;

  link_rx receiver (
      .clk          (clk),
      .rst          (rst),
      .flush        (line_lost),
      .s_valid      (dec_valid),
      .s_data       (dec_data),
      .s_end        (dec_end),
      .s_ok         (dec_ok),
      .frame_valid  (frame_valid),
      .frame_done   (frame_done),
      .frame_version(frame_version),
      .frame_type   (frame_type),
      .frame_seq    (frame_seq),
      .frame_len    (frame_len),
      .rd_addr      (rd_addr),
      .rd_data      (rd_data),
      .good         (good),
      .bad          (bad),
      .overrun      (lost)
  );

  // ---- commands -------------------------------------------------------------------------------------------------
  wire        ans_valid, ans_done, hold, busy, link_rst, halted, mode_set, gap, full;
  wire [7:0]  ans_type, mode_stride;
  wire [15:0] ans_seq, ans_code;
  wire [31:0] ans_detail, model_id;
  wire        fifo_en, fifo_push, fifo_zero, fifo_room;
  wire [15:0] fifo_data;
  wire [31:0] fifo_index;
  wire [4:0]  fifo_free;
  wire        frame_idle, coder_idle;

  link_command #(
      .WEIGHT_BYTES   (WEIGHT_BYTES),
      .MASK           (MASK),
      .FEATURES       (FEATURES),
      .MODEL_ID       (MODEL_ID),
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES (CONFIRM_CYCLES)
  ) command (
      .clk          (clk),
      .rst          (rst),
      .frame_valid  (frame_valid),
      .frame_done   (frame_done),
      .frame_version(frame_version),
      .frame_type   (frame_type),
      .frame_seq    (frame_seq),
      .frame_len    (frame_len),
      .rd_addr      (rd_addr),
      .rd_data      (rd_data),
      .ans_valid    (ans_valid),
      .ans_done     (ans_done),
      .ans_type     (ans_type),
      .ans_seq      (ans_seq),
      .ans_code     (ans_code),
      .ans_detail   (ans_detail),
      .hold         (hold),
      .result_busy  (busy),
      .tx_quiet     (frame_idle && coder_idle && !tx_valid && tx_idle && !busy),
      .stream_rst   (stream_rst),
      .link_rst     (link_rst),
      .halted       (halted),
      .model_id     (model_id),
      .mode_set     (mode_set),
      .mode_stride  (mode_stride),
      .mode_mask    (mode_mask),
      .line_lost    (line_lost),
      .divisor      (divisor),
      .gap          (gap),
      .overrun      (full),
      .w_en         (w_en),
      .w_re         (w_re),
      .w_addr       (w_addr),
      .w_data       (w_data),
      .w_rdata      (w_rdata),
      .w_accept     (w_accept),
      .pcm_en       (fifo_en),
      .pcm_data     (fifo_data),
      .pcm_push     (fifo_push),
      .pcm_zero     (fifo_zero),
      .pcm_index    (fifo_index),
      .pcm_room     (fifo_room),
      .pcm_free     (fifo_free),
      .feat_valid   (feat_valid),
      .feat_ready   (feat_ready),
      .feat_data    (feat_data),
      .feat_first   (feat_first),
      .feat_index   (feat_index)
  );

  assign weights_valid = model_id != 32'd0;

  pcm_fifo fifo (
      .clk       (clk),
      .rst       (rst),
      .flush     (stream_rst),
      .w_en      (fifo_en),
      .w_data    (fifo_data),
      .push      (fifo_push),
      .push_zero (fifo_zero),
      .push_index(fifo_index),
      .room      (fifo_room),
      .free      (fifo_free),
      .m_valid   (pcm_valid),
      .m_ready   (pcm_ready),
      .m_data    (pcm_data),
      .m_first   (pcm_first),
      .m_index   (pcm_index),
      .m_zero    (pcm_zero)
  );

  // ---- statistics -----------------------------------------------------------------------------------------------
  reg [31:0] frames_q = 32'd0, bad_q = 32'd0, framing_q = 32'd0, overruns_q = 32'd0, gaps_q = 32'd0;
  reg [31:0] dropped_q = 32'd0, cycles_q = 32'd0;

  always @(posedge clk) begin
    frames_q <= frames_q + {31'd0, good};
    bad_q <= bad_q + {31'd0, bad};
    framing_q <= framing_q + {31'd0, rx_framing_error};
    overruns_q <= overruns_q + {31'd0, full | lost};
    gaps_q <= gaps_q + {31'd0, gap};
    dropped_q <= dropped_q + {31'd0, res_dropped};
    if (res_valid && res_ready && res_cycles > cycles_q) cycles_q <= res_cycles;
    if (rst || link_rst) begin
      frames_q <= 32'd0;
      bad_q <= 32'd0;
      framing_q <= 32'd0;
      overruns_q <= 32'd0;
      gaps_q <= 32'd0;
      dropped_q <= 32'd0;
      cycles_q <= 32'd0;
    end
  end

  wire [223:0] stats = {cycles_q, dropped_q, gaps_q, overruns_q, framing_q, bad_q, frames_q};

  // ---- answers --------------------------------------------------------------------------------------------------
  wire [7:0]   mode_bits = {5'd0, FEATURES1, halted, weights_valid};
  wire [351:0] info = {
    16'd0, TAG, `KWS_MAX_FILL, CHANNELS, BLOCKS, EXPERTS, CLASSES, N_MELS, MASK, WEIGHT_BYTES, RX_FIFO,
    `KWS_MAX_PAYLOAD, `KWS_HOP, CLOCK_HZ, model_id, BUILD, mode_bits, `KWS_VERSION, `KWS_INFO_MAGIC
  };

  wire        out_start, out_valid, out_ready;
  wire [7:0]  out_type, out_data;
  wire [15:0] out_seq;
  wire [10:0] out_len;

  link_answer answer (
      .clk          (clk),
      .rst          (rst),
      .ans_valid    (ans_valid),
      .ans_done     (ans_done),
      .ans_type     (ans_type),
      .ans_seq      (ans_seq),
      .ans_code     (ans_code),
      .ans_detail   (ans_detail),
      .info         (info),
      .stats        (stats),
      .stream_rst   (stream_rst),
      .hold         (hold),
      .busy         (busy),
      .mode_set     (mode_set),
      .mode_stride  (mode_stride),
      .mode_counters(mode_mask[0]),
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
      .tx_start     (out_start),
      .tx_idle      (frame_idle),
      .tx_type      (out_type),
      .tx_seq       (out_seq),
      .tx_len       (out_len),
      .tx_valid     (out_valid),
      .tx_ready     (out_ready),
      .tx_data      (out_data)
  );

  wire       raw_valid, raw_ready, raw_last;
  wire [7:0] raw_data;

  link_tx sender (
      .clk       (clk),
      .rst       (rst),
      .start     (out_start),
      .idle      (frame_idle),
      .frame_type(out_type),
      .frame_seq (out_seq),
      .frame_len (out_len),
      .s_valid   (out_valid),
      .s_ready   (out_ready),
      .s_data    (out_data),
      .m_valid   (raw_valid),
      .m_ready   (raw_ready),
      .m_data    (raw_data),
      .m_last    (raw_last)
  );

  cobs_encoder encoder (
      .clk    (clk),
      .rst    (rst),
      .s_valid(raw_valid),
      .s_ready(raw_ready),
      .s_data (raw_data),
      .s_last (raw_last),
      .m_valid(tx_valid),
      .m_ready(tx_ready),
      .m_data (tx_data),
      .idle   (coder_idle)
  );

endmodule

`default_nettype wire
