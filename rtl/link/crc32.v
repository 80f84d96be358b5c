// SPDX-License-Identifier: MIT
// CRC-32 (IEEE 802.3, as zlib computes it), one byte per cycle.
// `clear` starts; else `en` takes `data`. `crc` is the finished value for the bytes taken so far.
`default_nettype none

module crc32 (
    input  wire        clk,
    input  wire        clear,
    input  wire        en,
    input  wire [7:0]  data,
    output wire [31:0] crc
);

  reg [31:0] crc_q = 32'hFFFF_FFFF;

  function [31:0] step(input [31:0] state, input [7:0] value);
    integer i;
    begin
      step = state ^ {24'h0, value};
      for (i = 0; i < 8; i = i + 1) step = {1'b0, step[31:1]} ^ (step[0] ? 32'hEDB8_8320 : 32'h0);
    end
  endfunction

  always @(posedge clk)
    if (clear) crc_q <= 32'hFFFF_FFFF;
    else if (en) crc_q <= step(crc_q, data);

  assign crc = ~crc_q;

endmodule

`default_nettype wire
