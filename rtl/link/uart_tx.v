// SPDX-License-Identifier: MIT
// UART transmitter, 8N1, `divisor` (4 or more) clocks per bit; it may change while `idle`.
// Takes a byte when `s_valid` and `s_ready`. `idle` rises when the last stop bit is over.
`default_nettype none

module uart_tx (
    input  wire        clk,
    input  wire        rst,
    input  wire [11:0] divisor,
    input  wire        s_valid,
    output wire        s_ready,
    input  wire [7:0]  s_data,
    output wire        txd,
    output wire        idle
);

  reg [8:0]  shift_q = 9'h1FF;
  reg [3:0]  left_q = 4'd0;  // bits still to be sent, the present one included
  reg [11:0] count_q = 12'd0;
  reg        txd_q = 1'b1;

  wire tick = count_q == 12'd0;

  always @(posedge clk) begin
    if (s_ready) begin
      if (s_valid) begin
        {shift_q, txd_q} <= {1'b1, s_data, 1'b0};
        left_q <= 4'd10;
        count_q <= divisor - 12'd1;
      end
    end else if (tick) begin
      {shift_q, txd_q} <= {1'b1, shift_q};
      left_q <= left_q - 4'd1;
      count_q <= divisor - 12'd1;
    end else begin
      count_q <= count_q - 12'd1;
    end
    if (rst) begin
      left_q <= 4'd0;
      txd_q  <= 1'b1;
    end
  end

  assign s_ready = left_q == 4'd0;
  assign idle = s_ready;
  assign txd = txd_q;

endmodule

`default_nettype wire
