// SPDX-License-Identifier: MIT
// Read-only memory with a registered output, which stays without `en`; filled from FILE (hexadecimal words, one a line).
`default_nettype none

module nm_rom #(
    parameter WIDTH = 36,
    parameter DEPTH = 1024,
    parameter FILE = "nm_func.mem"
) (
    input  wire                     clk,
    input  wire                     en,
    input  wire [$clog2(DEPTH)-1:0] addr,
    output wire [WIDTH-1:0]         data
);

  (* ram_style = "block" *)
  reg [WIDTH-1:0] mem[0:DEPTH-1];
  reg [WIDTH-1:0] data_q;

  initial $readmemh(FILE, mem);

  always @(posedge clk) if (en) data_q <= mem[addr];
  assign data = data_q;

endmodule

`default_nettype wire
