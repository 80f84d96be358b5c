// SPDX-License-Identifier: MIT
// 50 MHz from a board's oscillator (OSC_MHZ 100 or 12) by an MMCM, and a synchronous reset: high until the clock is
// locked, and while `button` is pressed.
`default_nettype none

module nm_clock #(
    parameter OSC_MHZ = 100
) (
    input  wire osc,
    input  wire button,
    output wire clk,
    output wire rst
);

  wire feedback, fast, locked;

  generate
    if (OSC_MHZ == 12) begin : from_12  // VCO 750 MHz
      MMCME2_BASE #(
          .CLKIN1_PERIOD   (83.333),
          .CLKFBOUT_MULT_F (62.5),
          .DIVCLK_DIVIDE   (1),
          .CLKOUT0_DIVIDE_F(15.0)
      ) mmcm (
          .CLKIN1  (osc),
          .CLKFBIN (feedback),
          .CLKFBOUT(feedback),
          .CLKOUT0 (fast),
          .LOCKED  (locked),
          .PWRDWN  (1'b0),
          .RST     (1'b0)
      );
    end else begin : from_100  // VCO 1 GHz
      MMCME2_BASE #(
          .CLKIN1_PERIOD   (10.0),
          .CLKFBOUT_MULT_F (10.0),
          .DIVCLK_DIVIDE   (1),
          .CLKOUT0_DIVIDE_F(20.0)
      ) mmcm (
          .CLKIN1  (osc),
          .CLKFBIN (feedback),
          .CLKFBOUT(feedback),
          .CLKOUT0 (fast),
          .LOCKED  (locked),
          .PWRDWN  (1'b0),
          .RST     (1'b0)
      );
    end
  endgenerate

  BUFG buffer (
      .I(fast),
      .O(clk)
  );

  (* ASYNC_REG = "TRUE" *)
  reg [1:0] hold_q = 2'b11;
  reg [3:0] rst_q = 4'b1111;

  always @(posedge clk) begin
    hold_q <= {hold_q[0], button || !locked};
    rst_q  <= {rst_q[2:0], hold_q[1]};
  end

  assign rst = rst_q != 4'd0;

endmodule

`default_nettype wire
