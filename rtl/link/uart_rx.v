// SPDX-License-Identifier: MIT
// UART receiver, 8N1, `divisor` (4 or more) clocks per bit; it may change while the line is idle.
// Strobes of one cycle, never two at once: `m_valid` with `m_data`; `framing_error` for a byte without stop bit,
// which is dropped; `line_break` once when the line stays low for two bytes. Nothing can hold the line back.
`default_nettype none

module uart_rx (
    input  wire        clk,
    input  wire        rst,
    input  wire [11:0] divisor,
    input  wire        rxd,
    output wire        m_valid,
    output wire [7:0]  m_data,
    output wire        framing_error,
    output wire        line_break
);

  localparam [1:0] IDLE = 2'd0, BITS = 2'd1, STUCK = 2'd2;
  localparam [3:0] STOP = 4'd9;  // start bit is number 0

  (* ASYNC_REG = "TRUE" *)
  reg [2:0]  sync_q = 3'b111;
  reg [1:0]  state_q = IDLE;
  reg [11:0] count_q = 12'd0;
  reg [3:0]  bit_q = 4'd0;
  reg [7:0]  data_q = 8'd0;
  reg        zero_q = 1'b0;  // STUCK began with a byte of zeros and has not been reported as a break
  reg        valid_q = 1'b0, error_q = 1'b0, break_q = 1'b0;

  wire line = sync_q[1];
  wire fall = sync_q[2] & ~sync_q[1];
  wire tick = count_q == 12'd0;

  always @(posedge clk) sync_q <= {sync_q[1:0], rxd};

  always @(posedge clk) begin
    valid_q <= 1'b0;
    error_q <= 1'b0;
    break_q <= 1'b0;
    count_q <= tick ? divisor - 12'd1 : count_q - 12'd1;
    case (state_q)
      IDLE: begin
        count_q <= {1'b0, divisor[11:1]} - 12'd1;  // to the middle of the start bit
        bit_q <= 4'd0;
        if (fall) state_q <= BITS;
      end
      BITS:
      if (tick) begin
        bit_q <= bit_q + 4'd1;
        data_q <= {line, data_q[7:1]};
        if (bit_q == 4'd0 && line) state_q <= IDLE;  // a spike, no start bit
        if (bit_q == STOP) begin
          data_q <= data_q;
          bit_q <= 4'd0;
          valid_q <= line;
          error_q <= ~line;
          zero_q <= data_q == 8'd0;
          state_q <= line ? IDLE : STUCK;
        end
      end
      default: begin  // STUCK: wait for the line to rise
        if (tick && bit_q != 4'd10) bit_q <= bit_q + 4'd1;
        if (bit_q == 4'd10 && zero_q) begin
          break_q <= 1'b1;
          zero_q <= 1'b0;
        end
        if (line) state_q <= IDLE;
      end
    endcase
    if (rst) begin
      state_q <= IDLE;
      valid_q <= 1'b0;
      error_q <= 1'b0;
      break_q <= 1'b0;
    end
  end

  assign m_valid = valid_q;
  assign m_data = data_q;
  assign framing_error = error_q;
  assign line_break = break_q;

endmodule

`default_nettype wire
