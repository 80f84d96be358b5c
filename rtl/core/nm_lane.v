// SPDX-License-Identifier: MIT
// One byte lane of the image memory: port A reads, port B reads or writes (reads the old byte while it writes).
// Without its enable a port does nothing, and what it read stays.
`default_nettype none

module nm_lane #(
    parameter DEPTH = 4096,
    parameter FILE = "nm_image0.mem"
) (
    input  wire                     clk,
    input  wire                     a_en,
    input  wire [$clog2(DEPTH)-1:0] a_addr,
    output wire [7:0]               a_data,
    input  wire                     b_en,
    input  wire                     b_we,
    input  wire [$clog2(DEPTH)-1:0] b_addr,
    input  wire [7:0]               b_wdata,
    output wire [7:0]               b_data
);

  (* ram_style = "block" *)
  reg [7:0] mem[0:DEPTH-1];
  reg [7:0] a_data_q, b_data_q;

  initial $readmemh(FILE, mem);

  always @(posedge clk) if (a_en) a_data_q <= mem[a_addr];

  always @(posedge clk)
  if (b_en) begin
    if (b_we) mem[b_addr] <= b_wdata;
    b_data_q <= mem[b_addr];
  end

  assign a_data = a_data_q;
  assign b_data = b_data_q;

endmodule

`default_nettype wire
