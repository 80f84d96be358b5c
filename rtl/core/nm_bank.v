// SPDX-License-Identifier: MIT
// One bank of the data memory: a write and a read in every cycle; without `r_en` the read word stays. Reading what is written in the same cycle gives the
// old word. Contents are unknown until written.
`default_nettype none

module nm_bank #(
    parameter WIDTH = 36,
    parameter DEPTH = 4096
) (
    input  wire                     clk,
    input  wire                     we,
    input  wire [$clog2(DEPTH)-1:0] w_addr,
    input  wire [WIDTH-1:0]         w_data,
    input  wire                     r_en,
    input  wire [$clog2(DEPTH)-1:0] r_addr,
    output wire [WIDTH-1:0]         r_data
);

  (* ram_style = "block" *)
  reg [WIDTH-1:0] mem[0:DEPTH-1];
  reg [WIDTH-1:0] r_data_q;

  always @(posedge clk) begin
    if (we) mem[w_addr] <= w_data;
    if (r_en) r_data_q <= mem[r_addr];
  end

  assign r_data = r_data_q;

endmodule

`default_nettype wire
