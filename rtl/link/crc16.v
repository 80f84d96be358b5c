// SPDX-License-Identifier: MIT
// CRC-16/CCITT-FALSE (0x1021, start 0xFFFF), one byte per cycle.
// `clear` loads the start value; else `en` takes `data`. `crc` holds the CRC of the bytes taken so far.
`default_nettype none

module crc16 (
    input  wire        clk,
    input  wire        clear,
    input  wire        en,
    input  wire [7:0]  data,
    output wire [15:0] crc
);

  reg [15:0] crc_q = 16'hFFFF;

  function [15:0] step(input [15:0] state, input [7:0] value);
    integer i;
    begin
      step = state ^ {value, 8'h00};
      for (i = 0; i < 8; i = i + 1) step = {step[14:0], 1'b0} ^ (step[15] ? 16'h1021 : 16'h0000);
    end
  endfunction

  always @(posedge clk)
    if (clear) crc_q <= 16'hFFFF;
    else if (en) crc_q <= step(crc_q, data);

  assign crc = crc_q;

endmodule

`default_nettype wire
