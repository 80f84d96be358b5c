// SPDX-License-Identifier: MIT
// For simulation: offers `count` bytes of `memory`, filled by the test, after `start`; much faster than from Python.
// `gap` idle cycles follow each byte; before each, a pause goes on with probability `pause`/256.
`default_nettype none

module sim_player (
    input  wire        clk,
    input  wire        start,
    input  wire [15:0] count,
    input  wire [7:0]  gap,
    input  wire [8:0]  pause,
    output wire        busy,
    output wire        valid,
    input  wire        ready,
    output wire [7:0]  data
);

  reg [7:0]  memory[0:8191];
  reg [15:0] at_q = 16'd0, end_q = 16'd0;
  reg [7:0]  gap_q = 8'd0;
  reg        valid_q = 1'b0;
  reg [7:0]  dice_q = 8'd0;

  always @(posedge clk) begin
    dice_q <= $random;
    if (gap_q != 8'd0) gap_q <= gap_q - 8'd1;
    if (valid_q && ready) begin
      valid_q <= 1'b0;
      at_q <= at_q + 16'd1;
      gap_q <= gap;
      if (gap == 8'd0 && at_q + 16'd1 != end_q && {1'b0, dice_q} >= pause) valid_q <= 1'b1;
    end else if (!valid_q && at_q != end_q && gap_q == 8'd0 && {1'b0, dice_q} >= pause) valid_q <= 1'b1;
    if (start) begin
      at_q <= 16'd0;
      end_q <= count;
      valid_q <= 1'b0;
    end
  end

  assign busy = start || at_q != end_q;
  assign valid = valid_q;
  assign data = memory[at_q[12:0]];

endmodule

`default_nettype wire
