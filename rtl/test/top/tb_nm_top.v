// SPDX-License-Identifier: MIT
// nm_top with a clock of its own: one from Python would cost most of the time.
`default_nettype none

module tb_nm_top #(
    parameter [11:0] DEFAULT_DIVISOR = 8,
    parameter CONFIRM_CYCLES = 60_000
) (
    input  wire rst,
    input  wire rxd,
    output wire txd,
    output wire rx_led,
    output wire tx_led,
    output wire loaded,
    output wire busy,
    output wire word_valid,
    output wire [3:0] word
);

  reg clk = 1'b0;
  always #10 clk = ~clk;

  nm_top #(
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES (CONFIRM_CYCLES)
  ) dut (
      .clk   (clk),
      .rst   (rst),
      .rxd   (rxd),
      .txd   (txd),
      .rx_led(rx_led),
      .tx_led(tx_led),
      .loaded(loaded),
      .busy  (busy),
      .word_valid(word_valid),
      .word  (word)
  );

endmodule

`default_nettype wire
