// SPDX-License-Identifier: MIT
// Arty A7-35T. LD4 weights are loaded, LD5 traffic on the line, LD6 a frame is being computed, LD7 blinks: alive.
// The word on the colour LEDs, LD0 to LD3: class n (yes 0 ... unknown 11) lights LED n/3 in red, green or blue (n mod 3).
// BTN0 resets.
`default_nettype none

module nm_arty #(
    parameter [63:0] BUILD = 64'd0,
    parameter [31:0] MODEL_ID = 32'd0
) (
    input  wire       CLK100MHZ,
    input  wire [0:0] btn,
    input  wire       uart_txd_in,
    output wire       uart_rxd_out,
    output wire [3:0] led,
    output wire [3:0] led_r,
    output wire [3:0] led_g,
    output wire [3:0] led_b
);

  wire clk, rst, rx_led, tx_led, loaded, busy, word_valid, alive, traffic, dim, shown, unused;
  wire [3:0] word, shown_word;

  nm_clock #(.OSC_MHZ(100)) clock (.osc(CLK100MHZ), .button(btn[0]), .clk(clk), .rst(rst));

  nm_top #(
      .BUILD   (BUILD),
      .MODEL_ID(MODEL_ID),
      .TAG     (32'h59545241)  // "ARTY"
  ) top (
      .clk       (clk),
      .rst       (rst),
      .rxd       (uart_txd_in),
      .txd       (uart_rxd_out),
      .rx_led    (rx_led),
      .tx_led    (tx_led),
      .loaded    (loaded),
      .busy      (busy),
      .word_valid(word_valid),
      .word      (word)
  );

  nm_leds leds (
      .clk       (clk),
      .rst       (rst),
      .line      (rx_led || tx_led),
      .word_valid(word_valid),
      .word      (word),
      .alive     (alive),
      .traffic   (traffic),
      .blink     (unused),
      .dim       (dim),
      .shown     (shown),
      .shown_word(shown_word)
  );

  wire [11:0] lit = dim && shown ? 12'd1 << shown_word : 12'd0;

  assign led = {alive, busy, traffic, loaded};
  assign led_r = {lit[9], lit[6], lit[3], lit[0]};
  assign led_g = {lit[10], lit[7], lit[4], lit[1]};
  assign led_b = {lit[11], lit[8], lit[5], lit[2]};

endmodule

`default_nettype wire
