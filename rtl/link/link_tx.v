// SPDX-License-Identifier: MIT
// Frame sender: puts header and CRC around a payload; `cobs_encoder` follows.
// `start` (while `idle`) takes type, seq and length, which must stay until `idle` again; then exactly `len` bytes are
// taken from the payload stream.
`default_nettype none
`include "protocol.vh"

module link_tx (
    input  wire        clk,
    input  wire        rst,
    input  wire        start,
    output wire        idle,
    input  wire [7:0]  frame_type,
    input  wire [15:0] frame_seq,
    input  wire [10:0] frame_len,
    input  wire        s_valid,
    output wire        s_ready,
    input  wire [7:0]  s_data,
    output wire        m_valid,
    input  wire        m_ready,
    output wire [7:0]  m_data,
    output wire        m_last
);

  localparam [1:0] IDLE = 2'd0, HEAD = 2'd1, BODY = 2'd2, CRC = 2'd3;

  reg [1:0]  state_q = IDLE;
  reg [10:0] count_q = 11'd0;
  wire [15:0] crc;
  wire        go = m_valid && m_ready;
  reg  [7:0]  head;

  always @*
    case (count_q[2:0])
      3'd0: head = `KWS_VERSION;
      3'd1: head = frame_type;
      3'd2: head = frame_seq[7:0];
      3'd3: head = frame_seq[15:8];
      3'd4: head = frame_len[7:0];
      default: head = {5'd0, frame_len[10:8]};
    endcase

  crc16 crc16_i (
      .clk  (clk),
      .clear(state_q == IDLE),
      .en   (go && state_q != CRC),
      .data (m_data),
      .crc  (crc)
  );

  always @(posedge clk) begin
    if (go) count_q <= count_q + 11'd1;
    case (state_q)
      IDLE: begin
        count_q <= 11'd0;
        if (start) state_q <= HEAD;
      end
      HEAD:
      if (go && count_q == 11'd5) begin
        count_q <= 11'd0;
        state_q <= frame_len == 11'd0 ? CRC : BODY;
      end
      BODY:
      if (go && count_q + 11'd1 == frame_len) begin
        count_q <= 11'd0;
        state_q <= CRC;
      end
      default: if (go && m_last) state_q <= IDLE;
    endcase
    if (rst) state_q <= IDLE;
  end

  assign idle = state_q == IDLE;
  assign s_ready = state_q == BODY && m_ready;
  assign m_valid = state_q == HEAD || state_q == CRC || (state_q == BODY && s_valid);
  assign m_data = state_q == HEAD ? head : state_q == BODY ? s_data : count_q[0] ? crc[15:8] : crc[7:0];
  assign m_last = state_q == CRC && count_q[0];

endmodule

`default_nettype wire
