// SPDX-License-Identifier: MIT
// Carries out the frames of `link_rx`: answers, weights, modes, audio into the FIFO. One frame at a time; an answer
// waits in `ans_*` until `ans_done`. State of the stream ends only between results (`hold`, `result_busy`), so that
// no frame on the line is ever cut. kwscore/board/device.py does the same in Python.
`default_nettype none
`include "protocol.vh"

module link_command #(
    parameter [15:0] WEIGHT_BYTES = 16'd16384,
    parameter [15:0] MASK = 16'h007F,          // fields that the core can send
    parameter FEATURES = 0,                    // 1: the core takes FEAT_FRAME
    parameter [31:0] MODEL_ID = 32'd0,         // of the weights in the bitstream, 0 for none
    parameter [11:0] DEFAULT_DIVISOR = 12'd50,
    parameter CONFIRM_CYCLES = 25_000_000      // within which HELLO must follow SET_BAUD
) (
    input  wire        clk,
    input  wire        rst,
    // frames
    input  wire        frame_valid,
    output wire        frame_done,
    input  wire [7:0]  frame_version,
    input  wire [7:0]  frame_type,
    input  wire [15:0] frame_seq,
    input  wire [15:0] frame_len,
    output wire [9:0]  rd_addr,
    input  wire [7:0]  rd_data,
    // answers
    output wire        ans_valid,
    input  wire        ans_done,
    output wire [7:0]  ans_type,
    output wire [15:0] ans_seq,
    output wire [15:0] ans_code,
    output wire [31:0] ans_detail,
    output wire        hold,
    input  wire        result_busy,
    input  wire        tx_quiet,               // nothing is on its way to the host
    // state
    output wire        stream_rst,             // strobe: the core and the FIFO start anew
    output wire        link_rst,               // strobe: counters start anew
    output wire        halted,
    output wire [31:0] model_id,
    output wire        mode_set,
    output wire [7:0]  mode_stride,
    output wire [15:0] mode_mask,
    input  wire        line_lost,              // strobe: return to the default rate
    output wire [11:0] divisor,
    output wire        gap,                    // strobes for the statistics
    output wire        overrun,
    // weights: written, or read for the CRC (w_rdata one cycle after w_addr)
    output wire        w_en,
    output wire        w_re,
    output wire [15:0] w_addr,
    output wire [7:0]  w_data,
    input  wire [7:0]  w_rdata,
    input  wire        w_accept,
    // audio
    output wire        pcm_en,
    output wire [15:0] pcm_data,
    output wire        pcm_push,
    output wire        pcm_zero,
    output wire [31:0] pcm_index,
    input  wire        pcm_room,
    input  wire [4:0]  pcm_free,
    // features
    output wire        feat_valid,
    input  wire        feat_ready,
    output wire [15:0] feat_data,
    output wire        feat_first,
    output wire [31:0] feat_index
);

  localparam [3:0] IDLE = 4'd0, ARGS = 4'd1, CHECK = 4'd2, LOAD = 4'd3, CRC = 4'd4, COMMIT = 4'd5, AUDIO = 4'd6;
  localparam [3:0] FEAT = 4'd7, HOLD = 4'd8, POST = 4'd9, QUIET = 4'd10, DONE = 4'd11;
  localparam [31:0] CAPACITY = {16'd0, WEIGHT_BYTES};
  // What happens once the answer is out (QUIET), or before it (HOLD).
  localparam [1:0] AFTER_NOTHING = 2'd0, AFTER_BAUD = 2'd1, AFTER_LINK = 2'd2;

  reg [3:0]  state_q = IDLE;
  reg [1:0]  after_q = AFTER_NOTHING;
  reg [15:0] count_q = 16'd0;
  reg        ans_q = 1'b0;
  reg [7:0]  type_q = 8'd0;
  reg [15:0] seq_q = 16'd0, code_q = 16'd0;
  reg [31:0] detail_q = 32'd0;
  reg        halt_q = 1'b0;  // HOLD halts the stream
  reg        halted_q = 1'b0;
  reg [31:0] model_q = MODEL_ID;
  reg [7:0]  stride_q = 8'd1;
  reg [15:0] mask_q = `KWS_DEFAULT_MASK;
  reg [1:0]  step_q = 2'd0;  // of a word of features
  reg [7:0]  low_q = 8'd0;
  reg        link_rst_q = 1'b0, mode_set_q = 1'b0;

  wire [15:0] args = frame_len < 16'd12 ? frame_len : 16'd12;
  wire        known, length_ok;
  wire [31:0] word0, word1, word2;
  wire [32:0] load_end = {1'b0, word0} + {17'd0, frame_len} - 33'd4;
  wire [31:0] crc;

  wire hello = state_q == CHECK && known && length_ok && frame_type == `KWS_TYPE_HELLO && word0 == `KWS_HELLO_MAGIC;
  wire quiet = state_q == QUIET && !ans_q && tx_quiet && count_q[2:0] == 3'd7;  // the answer's last bit is out

  link_check check (
      .clk       (clk),
      .clear     (state_q == IDLE),
      .take      (state_q == ARGS),
      .count     (count_q[3:0]),
      .data      (rd_data),
      .word0     (word0),
      .word1     (word1),
      .word2     (word2),
      .frame_type(frame_type),
      .frame_len (frame_len),
      .known     (known),
      .length_ok (length_ok)
  );

  link_rate #(
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES (CONFIRM_CYCLES)
  ) rate (
      .clk    (clk),
      .rst    (rst),
      .change (quiet && after_q == AFTER_BAUD),
      .wanted (word0[11:0]),
      .confirm(hello),
      .restore(line_lost || (quiet && after_q == AFTER_LINK)),
      .divisor(divisor)
  );

  crc32 crc32_i (
      .clk  (clk),
      .clear(state_q == CHECK),
      .en   (state_q == CRC && count_q != 16'd0),
      .data (w_rdata),
      .crc  (crc)
  );

  wire        audio_done, audio_lost;
  wire [31:0] expected;
  wire [9:0]  audio_addr;

  link_audio audio (
      .clk      (clk),
      .rst      (rst),
      .clear    (stream_rst),
      .start    (state_q == AUDIO),
      .index    (word0),
      .done     (audio_done),
      .lost     (audio_lost),
      .expected (expected),
      .addr     (audio_addr),
      .data     (rd_data),
      .gap      (gap),
      .overrun  (overrun),
      .pcm_en   (pcm_en),
      .pcm_data (pcm_data),
      .pcm_push (pcm_push),
      .pcm_zero (pcm_zero),
      .pcm_index(pcm_index),
      .pcm_room (pcm_room),
      .pcm_free (pcm_free)
  );

  // Takes an answer and goes to POST; the states below call it once on their way out.
  task post(input [7:0] kind, input [15:0] code, input [31:0] detail);
    begin
      type_q <= kind;
      code_q <= code;
      detail_q <= detail;
      state_q <= POST;
    end
  endtask

  task refuse(input [15:0] code, input [31:0] detail);
    post(`KWS_TYPE_ERROR, code, detail);
  endtask

  task acknowledge(input [31:0] detail);
    post(`KWS_TYPE_ACK, {8'd0, frame_type}, detail);
  endtask

  always @(posedge clk) begin
    link_rst_q <= 1'b0;
    mode_set_q <= 1'b0;
    if (ans_done) ans_q <= 1'b0;

    case (state_q)
      IDLE: begin
        count_q <= 16'd0;
        after_q <= AFTER_NOTHING;
        halt_q <= 1'b0;
        if (frame_valid && !ans_q) state_q <= ARGS;
      end

      ARGS: begin  // the byte of address count - 1 is on rd_data
        count_q <= count_q + 16'd1;
        if (count_q == args) state_q <= CHECK;
      end

      CHECK: begin
        count_q <= 16'd0;
        step_q <= 2'd0;
        if (frame_version != `KWS_VERSION && frame_type != `KWS_TYPE_HELLO)
          refuse(`KWS_CODE_BAD_VERSION, {24'd0, `KWS_VERSION});
        else if (!known) refuse(`KWS_CODE_UNKNOWN_TYPE, {24'd0, frame_type});
        else if (!length_ok) refuse(`KWS_CODE_BAD_LENGTH, {16'd0, frame_len});
        else
          case (frame_type)
            `KWS_TYPE_HELLO:
            if (hello) post(`KWS_TYPE_INFO, 16'd0, 32'd0);
            else state_q <= DONE;
            `KWS_TYPE_GET_STATS: post(`KWS_TYPE_STATS, 16'd0, 32'd0);
            `KWS_TYPE_RESET:
            if (word0 > 32'd2) refuse(`KWS_CODE_BAD_ARGUMENT, word0);
            else begin
              acknowledge(word0);
              if (word0 == 32'd2) after_q <= AFTER_LINK;
              if (word0 != 32'd0) model_q <= 32'd0;
              state_q <= HOLD;
            end
            `KWS_TYPE_LOAD_WEIGHTS:
            if (load_end > {1'b0, CAPACITY}) refuse(`KWS_CODE_BAD_ARGUMENT, word0);
            else begin
              model_q <= 32'd0;
              count_q <= 16'd4;
              state_q <= LOAD;
            end
            `KWS_TYPE_COMMIT:
            if (word0 == 32'd0 || word0 > CAPACITY) refuse(`KWS_CODE_BAD_ARGUMENT, word0);
            else state_q <= CRC;
            `KWS_TYPE_SET_BAUD:
            if (word0 < {16'd0, `KWS_MIN_DIVISOR} || word0 > {16'd0, `KWS_MAX_DIVISOR})
              refuse(`KWS_CODE_BAD_ARGUMENT, word0);
            else begin
              after_q <= AFTER_BAUD;
              acknowledge(word0);
            end
            `KWS_TYPE_SET_MODE:
            if (word0[7:0] == 8'd0) refuse(`KWS_CODE_BAD_ARGUMENT, 32'd0);
            else if ((word0[31:16] & ~MASK) != 16'd0) refuse(`KWS_CODE_BAD_ARGUMENT, {16'd0, word0[31:16]});
            else begin
              stride_q <= word0[7:0];
              mask_q <= word0[31:16];
              mode_set_q <= 1'b1;
              acknowledge({24'd0, word0[7:0]});
            end
            `KWS_TYPE_PCM_FRAME:
            if (model_q == 32'd0) refuse(`KWS_CODE_NO_WEIGHTS, 32'd0);
            else if (halted_q) state_q <= DONE;
            else state_q <= AUDIO;
            default:  // FEAT_FRAME
            if (model_q == 32'd0) refuse(`KWS_CODE_NO_WEIGHTS, 32'd0);
            else if (FEATURES == 0) refuse(`KWS_CODE_UNSUPPORTED, {24'd0, frame_type});
            else begin
              count_q <= 16'd4;
              state_q <= FEAT;
            end
          endcase
      end

      LOAD: begin
        count_q <= count_q + 16'd1;
        if (count_q == frame_len) acknowledge(load_end[31:0]);
      end

      CRC: begin
        count_q <= count_q + 16'd1;
        if (count_q == word0[15:0]) state_q <= COMMIT;
      end

      COMMIT:
      if (crc != word1) refuse(`KWS_CODE_BAD_CRC, crc);
      else if (word2 == 32'd0 || !w_accept) refuse(`KWS_CODE_WRONG_MODEL, word2);
      else begin
        model_q <= word2;
        acknowledge(word2);
        state_q <= HOLD;
      end

      AUDIO:
      if (audio_lost) begin
        halt_q <= 1'b1;
        refuse(`KWS_CODE_GAP, expected);
        state_q <= HOLD;
      end else if (audio_done) state_q <= DONE;

      // Three cycles and a handshake for each word: low byte, high byte, offer.
      FEAT:
      case (step_q)
        2'd0: begin
          count_q   <= count_q + 16'd1;
          step_q <= 2'd1;
        end
        2'd1: begin
          low_q <= rd_data;
          step_q <= 2'd2;
        end
        default:
        if (feat_ready) begin
          count_q   <= count_q + 16'd1;
          step_q <= 2'd0;
          if (count_q + 16'd1 == frame_len) state_q <= DONE;
        end
      endcase

      HOLD:
      if (!result_busy) begin
        halted_q <= halt_q;
        state_q <= POST;
      end

      POST:
      if (!ans_q) begin
        ans_q   <= 1'b1;
        seq_q   <= frame_seq;
        count_q <= 16'd0;
        state_q <= after_q == AFTER_NOTHING ? DONE : QUIET;
      end

      // The answer leaves at the old rate. A few cycles pass before tx_quiet tells of it.
      QUIET:
      if (!ans_q && tx_quiet) begin
        count_q <= count_q + 16'd1;
        if (quiet) begin
          state_q <= DONE;
          if (after_q == AFTER_LINK) begin
            stride_q <= 8'd1;
            mask_q <= `KWS_DEFAULT_MASK;
            mode_set_q <= 1'b1;
            link_rst_q <= 1'b1;
          end
        end
      end else count_q <= 16'd0;

      default: state_q <= IDLE;  // DONE
    endcase

    if (rst) begin
      state_q <= IDLE;
      ans_q <= 1'b0;
      halted_q <= 1'b0;
      model_q <= MODEL_ID;
      stride_q <= 8'd1;
      mask_q <= `KWS_DEFAULT_MASK;
    end
  end

  assign frame_done = state_q == DONE;
  assign rd_addr = state_q == AUDIO ? audio_addr : count_q[9:0];
  assign ans_valid = ans_q;
  assign ans_type = type_q;
  assign ans_seq = seq_q;
  assign ans_code = type_q == `KWS_TYPE_ERROR || type_q == `KWS_TYPE_ACK ? code_q : 16'd0;
  assign ans_detail = detail_q;
  assign hold = state_q == HOLD;
  assign stream_rst = state_q == HOLD && !result_busy;
  assign link_rst = link_rst_q;
  assign halted = halted_q;
  assign model_id = model_q;
  assign mode_set = mode_set_q;
  assign mode_stride = stride_q;
  assign mode_mask = mask_q;

  wire [15:0] load_at = word0[15:0] + count_q - 16'd5;
  assign w_re = state_q == CRC;
  assign w_en = state_q == LOAD && count_q != 16'd4;
  assign w_addr = state_q == LOAD ? load_at : count_q;
  assign w_data = rd_data;

  assign feat_valid = state_q == FEAT && step_q[1];
  assign feat_data = {rd_data, low_q};
  assign feat_first = count_q == 16'd5;
  assign feat_index = word0;

endmodule

`default_nettype wire
