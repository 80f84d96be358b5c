// SPDX-License-Identifier: MIT
// For simulation: takes words and keeps them in `memory` (the last 32,768); not ready with probability `pause`/256.
`default_nettype none

module sim_recorder #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire [8:0]       pause,
    output wire [31:0]      count,
    input  wire             valid,
    output wire             ready,
    input  wire [WIDTH-1:0] data
);

  reg [WIDTH-1:0] memory[0:32767];
  reg [31:0]      count_q = 32'd0;
  reg             ready_q = 1'b0;
  reg [7:0]       dice_q = 8'd0;

  always @(posedge clk) begin
    dice_q <= $random;
    ready_q <= {1'b0, dice_q} >= pause;
    if (valid && ready_q) begin
      memory[count_q[14:0]] <= data;
      count_q <= count_q + 32'd1;
    end
  end

  assign count = count_q;
  assign ready = ready_q;

endmodule

`default_nettype wire
