// SPDX-License-Identifier: MIT
// For lint and simulation only: the MMCM without its arithmetic, CLKOUT0 is CLKIN1. It checks that the parameters give
// 50 MHz and an oscillator inside its range (600 to 1200 MHz, speed grade -1).
`default_nettype none

module MMCME2_BASE #(
    parameter real CLKIN1_PERIOD = 0.0,
    parameter real CLKFBOUT_MULT_F = 5.0,
    parameter real CLKOUT0_DIVIDE_F = 1.0,
    parameter integer DIVCLK_DIVIDE = 1
) (
    input  wire CLKIN1,
    input  wire CLKFBIN,
    output wire CLKFBOUT,
    output wire CLKOUT0,
    output wire LOCKED,
    input  wire PWRDWN,
    input  wire RST
);

  localparam real VCO = 1000.0 * CLKFBOUT_MULT_F / (CLKIN1_PERIOD * DIVCLK_DIVIDE);

  initial
    if (VCO < 600.0 || VCO > 1200.0 || VCO / CLKOUT0_DIVIDE_F < 49.999 || VCO / CLKOUT0_DIVIDE_F > 50.001) begin
      $display("MMCM: %f MHz, oscillator %f MHz", VCO / CLKOUT0_DIVIDE_F, VCO);
      $finish;
    end

  assign CLKFBOUT = CLKIN1;
  assign CLKOUT0 = CLKIN1;
  assign LOCKED = !RST && !PWRDWN;
  wire unused = CLKFBIN;

endmodule

`default_nettype wire
