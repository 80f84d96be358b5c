// SPDX-License-Identifier: MIT
// The core behind nm_link: takes hops of 160 samples, runs one frame for every hop from the fourth on, and offers its
// result (ports and their contract: rtl/link/nm_link.v). A frame runs as soon as its 512th sample is there, inside the
// hop. A feature frame, 40 normed features and 40 SNR (docs/fixed_point.md: `normed`, `snr`), is taken between hops and
// runs the network without the front end, whose state stays. Samples wait while weights are not valid, a frame is computed, or a result has not been sent.
// Reset, stream_rst and every new image start with the program's INIT; an image is accepted when it is of this network's
// sizes: the first 20 bytes of its header (magic, version, lengths, sizes) are compared as they are written.
`default_nettype none
`include "nm_program.vh"

module nm_core (
    input  wire        clk,
    input  wire        rst,
    input  wire        stream_rst,
    input  wire        pcm_valid,
    output wire        pcm_ready,
    input  wire [15:0] pcm_data,
    input  wire        pcm_first,
    input  wire [31:0] pcm_index,
    input  wire        pcm_zero,
    input  wire        feat_valid,
    output wire        feat_ready,
    input  wire [15:0] feat_data,
    input  wire [31:0] feat_index,
    input  wire [15:0] mode_mask,
    output wire        res_valid,
    input  wire        res_ready,
    input  wire        res_full,
    output wire [31:0] res_index,
    output wire [31:0] res_cycles,
    output wire        res_frame,
    output wire        res_zero,
    output wire        res_features,
    output wire [10:0] res_len,
    output wire        body_valid,
    input  wire        body_ready,
    output wire [7:0]  body_data,
    input  wire        weights_valid,
    input  wire        w_en,
    input  wire        w_re,
    input  wire [15:0] w_addr,
    input  wire [7:0]  w_data,
    output wire [7:0]  w_rdata,
    output wire        w_accept,
    output wire        busy,       // a frame or INIT is being computed
    output wire        word_valid, // strobe after each frame's result: `word` is the class with the largest logit
    output wire [3:0]  word
);

  localparam [9:0] WINDOW = 10'd512, HOP = 10'd160;
  localparam [2:0] INIT = 3'd0, START = 3'd1, TAKE = 3'd2, COMPUTE = 3'd3, OFFER = 3'd4, SEND = 3'd5;

  reg [2:0]  state_q = INIT;
  reg        frame_q = 1'b0;      // what runs is a frame, not INIT
  reg [8:0]  at_q = 9'd0;         // next place in the circular buffer: the oldest sample's
  reg [9:0]  need_q = WINDOW;     // samples until the next frame
  reg [7:0]  hop_q = 8'd0;        // samples of this hop
  reg        done_q = 1'b0;       // this hop has completed a frame
  reg        features_q = 1'b0;   // what runs, or has run, is a feature frame
  reg [6:0]  feat_q = 7'd0;       // words of it
  reg [31:0] index_q = 32'd0;
  reg        zero_q = 1'b0;
  reg [31:0] cycles_q = 32'd0;

  wire again = rst || stream_rst || w_en;
  wire idle, sent;
  wire take = pcm_valid && pcm_ready;
  wire take_feature = feat_valid && feat_ready;
  wire hop_end = hop_q == 8'd159;
  wire [11:0] o_addr, field_addr;
  wire [15:0] o_data;
  wire body_start = res_valid && res_ready && res_full && done_q;

  always @(posedge clk) begin
    case (state_q)
      INIT: if (weights_valid) state_q <= START;
      START: begin
        cycles_q <= 32'd0;
        state_q <= COMPUTE;
      end
      COMPUTE:
      if (idle) begin
        // The frame that ends a hop with its last sample would leave its result for here; 512 = 3 x 160 + 32 never does.
        done_q <= frame_q || features_q;
        state_q <= features_q ? OFFER : TAKE;
      end else cycles_q <= cycles_q + 32'd1;
      TAKE:
      if (take) begin
        at_q <= at_q + 9'd1;
        need_q <= need_q - 10'd1;
        hop_q <= hop_end ? 8'd0 : hop_q + 8'd1;
        if (pcm_first) begin
          index_q <= pcm_index;
          zero_q <= pcm_zero;
          done_q <= 1'b0;
          cycles_q <= 32'd0;
        end
        if (need_q == 10'd1) begin
          need_q <= HOP;
          frame_q <= 1'b1;
          state_q <= START;
        end else if (hop_end) state_q <= OFFER;
      end else if (take_feature) begin
        feat_q  <= feat_q + 7'd1;
        index_q <= feat_index;
        zero_q  <= 1'b0;
        if (feat_q == 7'd79) begin
          feat_q <= 7'd0;
          features_q <= 1'b1;
          state_q <= START;
        end
      end
      OFFER:
      if (res_ready) begin
        features_q <= 1'b0;
        state_q <= body_start ? SEND : TAKE;
      end
      default: if (sent) state_q <= TAKE;
    endcase
    if (again) begin
      state_q <= INIT;
      frame_q <= 1'b0;
      at_q <= 9'd0;
      need_q <= WINDOW;
      hop_q <= 8'd0;
      done_q <= 1'b0;
      features_q <= 1'b0;
      feat_q <= 7'd0;
    end
  end

  // ---- the sizes of an image ------------------------------------------------------------------------------------
  // magic "KWSF", version 1, header 96 bytes; total length; front end 1, d, D, N, L, experts
  reg [17:0] match_q = 18'd0;
  reg [7:0]  wanted;
  always @* begin
    case (w_addr[4:0])
      5'd0: wanted = 8'h4B;
      5'd1: wanted = 8'h57;
      5'd2: wanted = 8'h53;
      5'd3: wanted = 8'h46;
      5'd4: wanted = 8'd1;
      5'd6: wanted = 8'd96;
      5'd8: wanted = `NM_IMAGE_BYTES_0;
      5'd9: wanted = `NM_IMAGE_BYTES_1;
      5'd12: wanted = `NM_SIZE_FRONT;
      5'd13: wanted = `NM_SIZE_D;
      5'd14: wanted = `NM_SIZE_CHANNELS;
      5'd15: wanted = `NM_SIZE_STATES;
      5'd16: wanted = `NM_SIZE_LAYERS;
      5'd17: wanted = `NM_SIZE_EXPERTS;
      default: wanted = 8'd0;
    endcase
  end

  always @(posedge clk)
    if (rst) match_q <= 18'd0;
    else if (w_en && w_addr < 16'd18) match_q[w_addr[4:0]] <= w_data == wanted;

  assign w_accept = &match_q;

  // ---- datapath -------------------------------------------------------------------------------------------------
  nm_engine engine (
      .clk     (clk),
      .rst     (again),
      .start   (state_q == START),
      .entry   (features_q ? `NM_ENTRY_FEATURES : frame_q ? `NM_ENTRY_FRAME : `NM_ENTRY_INIT),
      .idle    (idle),
      .pcm_we  (take),
      .pcm_at  (at_q),
      .pcm_data(pcm_data),
      .feat_we  (take_feature),
      .feat_at  (feat_q),
      .feat_data(feat_data),
      .o_en    (res_valid || !sent),
      .o_addr  (o_addr),
      .o_data  (o_data),
      .w_en    (w_en && w_addr < `NM_LITERAL_BYTE),
      .w_re    (w_re),
      .w_addr  (w_addr[13:0]),
      .w_data  (w_data),
      .w_rdata (w_rdata)
  );

  nm_result fields (
      .clk       (clk),
      .rst       (again),
      .mask      (mode_mask),
      .length    (res_len),
      .start     (body_start),
      .idle      (sent),
      .o_addr    (field_addr),
      .o_data    (o_data),
      .body_valid(body_valid),
      .body_ready(body_ready),
      .body_data (body_data)
  );

  // The program leaves 15 - class in the low bits of a word, which is read while the result is offered.
  reg       taken_q = 1'b0, word_valid_q = 1'b0;
  reg [3:0] word_q = 4'd0;

  always @(posedge clk) begin
    taken_q <= res_valid && res_ready && done_q && !again;
    word_valid_q <= taken_q;
    if (taken_q) word_q <= ~o_data[3:0];
  end

  assign o_addr = sent ? `NM_OUT_WORD : field_addr;
  assign word = word_q;
  assign word_valid = word_valid_q;
  assign pcm_ready = state_q == TAKE && !again && feat_q == 7'd0;
  assign feat_ready = state_q == TAKE && !again && hop_q == 8'd0 && (!pcm_valid || feat_q != 7'd0);
  assign res_valid = state_q == OFFER;
  assign res_index = index_q;
  assign res_cycles = cycles_q;
  assign res_frame = done_q;
  assign res_zero = zero_q;
  assign res_features = features_q;
  assign busy = state_q == START || state_q == COMPUTE;

endmodule

`default_nettype wire
