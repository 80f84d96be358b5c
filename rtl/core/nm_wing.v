// SPDX-License-Identifier: MIT
// Address of a butterfly's wing: the butterfly's number 0..255 with a bit, 0 for the upper and 1 for the lower wing,
// put in at position `stage` (0..8). Combinational.
`default_nettype none

module nm_wing (
    input  wire [7:0] number,
    input  wire [3:0] stage,
    input  wire       lower,
    output wire [8:0] addr
);

  wire [8:0] below = (9'd1 << stage) - 9'd1;  // bits under the one put in
  wire [8:0] moved = {number, 1'b0} & ~below & ~(9'd1 << stage);

  assign addr = ({1'b0, number} & below) | moved | ({8'd0, lower} << stage);

endmodule

`default_nettype wire
