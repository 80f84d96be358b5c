// SPDX-License-Identifier: MIT
// Address generator of a nested loop: `load` takes `base`; each `step` adds `stride` inside a row or `jump` at its end.
`default_nettype none

module nm_walk #(
    parameter WIDTH = 13
) (
    input  wire             clk,
    input  wire             load,
    input  wire [WIDTH-1:0] base,
    input  wire             step,
    input  wire             row_end,
    input  wire [WIDTH-1:0] stride,
    input  wire [WIDTH-1:0] jump,
    output wire [WIDTH-1:0] addr
);

  reg [WIDTH-1:0] addr_q = {WIDTH{1'b0}};

  always @(posedge clk)
    if (load) addr_q <= base;
    else if (step) addr_q <= addr_q + (row_end ? jump : stride);

  assign addr = addr_q;

endmodule

`default_nettype wire
