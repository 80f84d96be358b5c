// SPDX-License-Identifier: MIT
// Chooses what is sent next, an answer to a command before a result of the core, and makes its payload.
// `ans_valid` with its fields stays until `ans_done`. A result is taken in the cycle of `res_valid` and `res_ready`;
// when `res_full` is high in that cycle, exactly `res_len` bytes of fields must follow on the body stream.
// `hold` keeps new results back; `busy` while a result is being sent.
`default_nettype none
`include "protocol.vh"

module link_answer (
    input  wire         clk,
    input  wire         rst,
    // answers
    input  wire         ans_valid,
    output wire         ans_done,
    input  wire [7:0]   ans_type,
    input  wire [15:0]  ans_seq,
    input  wire [15:0]  ans_code,
    input  wire [31:0]  ans_detail,
    input  wire [351:0] info,         // INFO, 42 bytes and two that are not sent
    input  wire [223:0] stats,        // STATS
    // results
    input  wire         stream_rst,   // starts counting results anew
    input  wire         hold,
    output wire         busy,
    input  wire         mode_set,     // the next result is a full one
    input  wire [7:0]   mode_stride,
    input  wire         mode_counters,
    input  wire         res_valid,
    output wire         res_ready,
    output wire         res_full,
    input  wire [31:0]  res_index,
    input  wire [31:0]  res_cycles,
    input  wire         res_frame,
    input  wire         res_zero,
    input  wire         res_features,
    input  wire [10:0]  res_len,
    input  wire         body_valid,
    output wire         body_ready,
    input  wire [7:0]   body_data,
    // to link_tx
    output wire         tx_start,
    input  wire         tx_idle,
    output wire [7:0]   tx_type,
    output wire [15:0]  tx_seq,
    output wire [10:0]  tx_len,
    output wire         tx_valid,
    input  wire         tx_ready,
    output wire [7:0]   tx_data
);

  localparam [1:0] IDLE = 2'd0, START = 2'd1, SEND = 2'd2;

  reg [1:0]  state_q = IDLE;
  reg        result_q = 1'b0;  // what is sent is a result
  reg [7:0]  type_q = 8'd0;
  reg [15:0] seq_q = 16'd0;
  reg [10:0] len_q = 11'd0;
  reg [10:0] prefix_q = 11'd0;  // bytes made here; the rest is the body
  reg [10:0] count_q = 11'd0;
  reg [31:0] index_q = 32'd0, cycles_q = 32'd0;
  reg [3:0]  flags_q = 4'd0;
  reg [31:0] word_q = 32'd0;  // the four bytes being sent: counters may move meanwhile
  reg        have_q = 1'b0;  // word_q holds what count_q points into
  reg [15:0] results_q = 16'd0;
  reg [7:0]  brief_q = 8'd0;  // results until the next full one

  wire full = res_features || (res_frame && brief_q == 8'd0);
  wire take = state_q == IDLE && !ans_valid && res_valid && !hold;
  wire own = count_q < prefix_q;
  wire go = tx_valid && tx_ready;

  reg [31:0] word;
  always @* begin
    word = 32'd0;
    if (result_q)
      case (count_q[3:2])
        2'd0: word = index_q;
        2'd1: word = cycles_q;
        2'd2: word = {stats[47:32], 12'd0, flags_q};  // flags, CRC errors
        default: word = {16'd0, stats[143:128]};  // gaps
      endcase
    else if (type_q == `KWS_TYPE_INFO) word = info[{count_q[5:2], 5'd0}+:32];
    else if (type_q == `KWS_TYPE_STATS) word = stats[{count_q[4:2], 5'd0}+:32];
    else word = count_q[2] ? ans_detail : {ans_code, ans_seq};
  end

  always @(posedge clk) begin
    case (state_q)
      IDLE: begin
        count_q  <= 11'd0;
        have_q   <= 1'b0;
        result_q <= !ans_valid;
        index_q  <= res_index;
        cycles_q <= res_cycles;
        flags_q  <= {res_features, res_zero, !res_frame && !res_features, full};
        if (ans_valid) begin
          type_q <= ans_type;
          seq_q <= ans_seq;
          len_q <= ans_type == `KWS_TYPE_INFO ? `KWS_LEN_INFO : ans_type == `KWS_TYPE_STATS ? `KWS_LEN_STATS : `KWS_LEN_ACK;
          prefix_q <= 11'h7FF;
          state_q <= START;
        end else if (take) begin
          type_q <= `KWS_TYPE_RESULT;
          seq_q <= results_q;
          results_q <= results_q + 16'd1;
          prefix_q <= full && mode_counters ? `KWS_LEN_COUNTED : `KWS_LEN_BRIEF;
          len_q <= !full ? `KWS_LEN_BRIEF : res_len + (mode_counters ? `KWS_LEN_COUNTED : `KWS_LEN_BRIEF);
          if (res_frame && !res_features) brief_q <= (full ? mode_stride : brief_q) - 8'd1;
          state_q <= START;
        end
      end
      START: state_q <= SEND;
      default: begin
        if (own && !have_q) begin
          word_q <= word;
          have_q <= 1'b1;
        end
        if (go) begin
          count_q <= count_q + 11'd1;
          word_q  <= {8'd0, word_q[31:8]};
          if (count_q[1:0] == 2'd3) have_q <= 1'b0;
        end
        // link_tx is idle again after the CRC, which follows the last byte.
        if (count_q == len_q && tx_idle) state_q <= IDLE;
      end
    endcase
    if (stream_rst) results_q <= 16'd0;
    if (stream_rst || mode_set) brief_q <= 8'd0;
    if (rst) begin
      state_q   <= IDLE;
      results_q <= 16'd0;
      brief_q   <= 8'd0;
    end
  end

  assign ans_done = state_q == SEND && count_q == len_q && tx_idle && !result_q;
  assign busy = state_q != IDLE && result_q;
  assign res_ready = take;
  assign res_full = full;
  assign body_ready = state_q == SEND && !own && tx_ready;
  assign tx_start = state_q == START;
  assign tx_type = type_q;
  assign tx_seq = seq_q;
  assign tx_len = len_q;
  assign tx_valid = state_q == SEND && (own ? have_q : body_valid);
  assign tx_data = own ? word_q[7:0] : body_data;

endmodule

`default_nettype wire
