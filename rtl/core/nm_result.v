// SPDX-License-Identifier: MIT
// Bytes of a full result, in the order of the mask (kwscore/board/fields.py): reads 16-bit words through o_addr, one
// cycle later on o_data, and offers them low byte first. `start` begins with the fields of `mask`; `idle` when the last
// byte has been taken. `length` is the number of bytes of `mask`, at any time. COUNTERS are the link's.
`default_nettype none
`include "nm_program.vh"

module nm_result (
    input  wire        clk,
    input  wire        rst,
    input  wire [15:0] mask,
    output wire [10:0] length,
    input  wire        start,
    output wire        idle,
    output wire [11:0] o_addr,
    input  wire [15:0] o_data,
    output wire        body_valid,
    input  wire        body_ready,
    output wire [7:0]  body_data
);

  localparam [2:0] IDLE = 3'd0, FIELD = 3'd1, READ = 3'd2, WAIT = 3'd3, LOW = 3'd4, HIGH = 3'd5;
  localparam [2:0] LAST_FIELD = 3'd6;

  reg [2:0]  state_q = IDLE;
  reg [2:0]  field_q = 3'd0;
  reg [6:0]  mask_q = 7'd0;
  reg [11:0] addr_q = 12'd0;
  reg [7:0]  left_q = 8'd0;
  reg [15:0] word_q = 16'd0;

  reg [11:0] base;
  reg [7:0]  words;
  always @* begin
    case (field_q)
      3'd1: {base, words} = {`NM_OUT_LOGITS, `NM_LEN_LOGITS};
      3'd2: {base, words} = {`NM_OUT_ROUTING, `NM_LEN_ROUTING};
      3'd3: {base, words} = {`NM_OUT_DELTA_MEAN, `NM_LEN_DELTA_MEAN};
      3'd4: {base, words} = {`NM_OUT_SNR, `NM_LEN_SNR};
      3'd5: {base, words} = {`NM_OUT_MEL, `NM_LEN_MEL};
      3'd6: {base, words} = {`NM_OUT_DELTA, `NM_LEN_DELTA};
      default: {base, words} = 20'd0;
    endcase
  end

  assign length = (mask[1] ? {2'd0, `NM_LEN_LOGITS, 1'b0} : 11'd0) + (mask[2] ? {2'd0, `NM_LEN_ROUTING, 1'b0} : 11'd0)
      + (mask[3] ? {2'd0, `NM_LEN_DELTA_MEAN, 1'b0} : 11'd0) + (mask[4] ? {2'd0, `NM_LEN_SNR, 1'b0} : 11'd0)
      + (mask[5] ? {2'd0, `NM_LEN_MEL, 1'b0} : 11'd0) + (mask[6] ? {2'd0, `NM_LEN_DELTA, 1'b0} : 11'd0);

  always @(posedge clk) begin
    case (state_q)
      IDLE:
      if (start) begin
        mask_q  <= mask[6:0];
        field_q <= 3'd1;
        state_q <= FIELD;
      end
      FIELD: begin
        addr_q <= base;
        left_q <= words;
        if (mask_q[field_q] && words != 8'd0) state_q <= READ;
        else begin
          field_q <= field_q + 3'd1;
          if (field_q == LAST_FIELD) state_q <= IDLE;
        end
      end
      READ: state_q <= WAIT;
      WAIT: begin
        word_q  <= o_data;
        state_q <= LOW;
      end
      LOW: if (body_ready) state_q <= HIGH;
      default:
      if (body_ready) begin
        addr_q <= addr_q + 12'd1;
        left_q <= left_q - 8'd1;
        state_q <= READ;
        if (left_q == 8'd1) begin
          field_q <= field_q + 3'd1;
          state_q <= field_q == LAST_FIELD ? IDLE : FIELD;
        end
      end
    endcase
    if (rst) state_q <= IDLE;
  end

  assign idle = state_q == IDLE;
  assign o_addr = addr_q;
  assign body_valid = state_q == LOW || state_q == HIGH;
  assign body_data = state_q == LOW ? word_q[7:0] : word_q[15:8];

  wire unused = &{1'b0, mask[15:7], mask[0]};

endmodule

`default_nettype wire
