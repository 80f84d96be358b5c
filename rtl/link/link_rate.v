// SPDX-License-Identifier: MIT
// The line's rate: `change` takes a new divisor, which `confirm` must follow within CONFIRM_CYCLES; otherwise, and when the
// line is lost or the link reset (`restore`), the default comes back.
`default_nettype none

module link_rate #(
    parameter [11:0] DEFAULT_DIVISOR = 12'd50,
    parameter CONFIRM_CYCLES = 25_000_000
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        change,
    input  wire [11:0] wanted,
    input  wire        confirm,
    input  wire        restore,
    output wire [11:0] divisor
);

  reg [11:0] divisor_q = DEFAULT_DIVISOR;
  reg [31:0] left_q = 32'd0;  // cycles, 0 when nothing is to be confirmed

  always @(posedge clk) begin
    if (left_q != 32'd0) left_q <= left_q - 32'd1;
    if (restore || left_q == 32'd1) begin
      divisor_q <= DEFAULT_DIVISOR;
      left_q <= 32'd0;
    end
    if (confirm) left_q <= 32'd0;
    if (change) begin
      divisor_q <= wanted;
      left_q <= CONFIRM_CYCLES;
    end
    if (rst) begin
      divisor_q <= DEFAULT_DIVISOR;
      left_q <= 32'd0;
    end
  end

  assign divisor = divisor_q;

endmodule

`default_nettype wire
