// SPDX-License-Identifier: MIT
// The whole device behind its two wires: what a board's shell holds. Parameters and status: nm_device.v.
// `rxd` may be asynchronous. `rx_led` and `tx_led` are high while a line is low.
`default_nettype none

module nm_top #(
    parameter [31:0] CLOCK_HZ = 32'd50_000_000,
    parameter [11:0] DEFAULT_DIVISOR = 12'd50,
    parameter CONFIRM_CYCLES = 25_000_000,
    parameter [63:0] BUILD = 64'd0,
    parameter [31:0] TAG = 32'h204D4953,
    parameter [31:0] MODEL_ID = 32'd0
) (
    input  wire clk,
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

  wire [11:0] divisor;
  wire        rx_valid, rx_framing_error, rx_break, tx_valid, tx_ready, tx_idle;
  wire [7:0]  rx_data, tx_data;

  nm_uart uart (
      .clk             (clk),
      .rst             (rst),
      .divisor         (divisor),
      .rxd             (rxd),
      .txd             (txd),
      .rx_valid        (rx_valid),
      .rx_data         (rx_data),
      .rx_framing_error(rx_framing_error),
      .rx_break        (rx_break),
      .tx_valid        (tx_valid),
      .tx_ready        (tx_ready),
      .tx_data         (tx_data),
      .tx_idle         (tx_idle)
  );

  nm_device #(
      .CLOCK_HZ       (CLOCK_HZ),
      .DEFAULT_DIVISOR(DEFAULT_DIVISOR),
      .CONFIRM_CYCLES (CONFIRM_CYCLES),
      .BUILD          (BUILD),
      .TAG            (TAG),
      .MODEL_ID       (MODEL_ID)
  ) device (
      .clk             (clk),
      .rst             (rst),
      .divisor         (divisor),
      .rx_valid        (rx_valid),
      .rx_data         (rx_data),
      .rx_framing_error(rx_framing_error),
      .rx_break        (rx_break),
      .tx_valid        (tx_valid),
      .tx_ready        (tx_ready),
      .tx_data         (tx_data),
      .tx_idle         (tx_idle),
      .loaded          (loaded),
      .busy            (busy),
      .word_valid      (word_valid),
      .word            (word)
  );

  assign rx_led = ~rxd;
  assign tx_led = ~txd;

endmodule

`default_nettype wire
