// SPDX-License-Identifier: MIT
// COBS encoder: a frame of at least one byte in (`s_last` with its last), its COBS form and the delimiter out.
// Collects up to 254 bytes before it sends them, so input waits while a group goes out.
`default_nettype none

module cobs_encoder (
    input  wire       clk,
    input  wire       rst,
    input  wire       s_valid,
    output wire       s_ready,
    input  wire [7:0] s_data,
    input  wire       s_last,
    output wire       m_valid,
    input  wire       m_ready,
    output wire [7:0] m_data,
    output wire       idle
);

  localparam [2:0] COLLECT = 3'd0, CODE = 3'd1, FETCH = 3'd2, DATA = 3'd3, TAIL = 3'd4, DELIMITER = 3'd5;

  reg [7:0] group[0:255];
  reg [7:0] read_q = 8'd0;
  reg [2:0] state_q = COLLECT;
  reg [7:0] count_q = 8'd0;  // bytes collected
  reg [7:0] sent_q = 8'd0;
  reg       last_q = 1'b0;  // the group is the frame's last
  reg       zero_q = 1'b0;  // the group ended with a zero
  reg       empty_q = 1'b1;  // nothing of a frame taken yet

  wire take = s_valid && s_ready;
  wire zero = s_data == 8'd0;
  wire full = count_q == 8'd253;  // before the byte at hand

  always @(posedge clk) begin
    if (take) group[count_q] <= s_data;
    read_q <= group[sent_q];
  end

  always @(posedge clk) begin
    case (state_q)
      COLLECT:
      if (take) begin
        empty_q <= 1'b0;
        last_q <= s_last;
        zero_q <= zero;
        if (!zero) count_q <= count_q + 8'd1;
        if (zero || s_last || full) state_q <= CODE;
      end
      CODE:
      if (m_ready) begin
        sent_q  <= 8'd0;
        state_q <= count_q != 8'd0 ? FETCH : !last_q ? COLLECT : zero_q ? TAIL : DELIMITER;
      end
      FETCH: state_q <= DATA;
      DATA:
      if (m_ready) begin
        sent_q  <= sent_q + 8'd1;
        state_q <= FETCH;
        if (sent_q + 8'd1 == count_q) begin
          count_q <= 8'd0;
          state_q <= !last_q ? COLLECT : zero_q ? TAIL : DELIMITER;
        end
      end
      TAIL: if (m_ready) state_q <= DELIMITER;  // an empty group, so that the last zero stands before something
      default:
      if (m_ready) begin
        state_q <= COLLECT;
        empty_q <= 1'b1;
      end
    endcase
    if (rst) begin
      state_q <= COLLECT;
      count_q <= 8'd0;
      empty_q <= 1'b1;
    end
  end

  assign s_ready = state_q == COLLECT;
  assign m_valid = state_q != COLLECT && state_q != FETCH;
  assign m_data = state_q == CODE ? count_q + 8'd1 : state_q == DATA ? read_q : state_q == TAIL ? 8'd1 : 8'd0;
  assign idle = empty_q;

endmodule

`default_nettype wire
