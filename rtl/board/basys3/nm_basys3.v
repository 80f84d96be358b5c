// SPDX-License-Identifier: MIT
// Basys 3. LD0 to LD11: the word, one LED for each class in the order of kwscore.LABELS (yes 0 ... unknown 11).
// LD12 weights are loaded, LD13 traffic on the line, LD14 a frame is being computed, LD15 blinks: alive. BTNC resets.
`default_nettype none

module nm_basys3 #(
    parameter [63:0] BUILD = 64'd0,
    parameter [31:0] MODEL_ID = 32'd0
) (
    input  wire        clk,
    input  wire        btnC,
    input  wire        RsRx,
    output wire        RsTx,
    output wire [15:0] led
);

  wire clk50, rst, rx_led, tx_led, loaded, busy, word_valid, alive, traffic, shown;
  wire [1:0] unused;
  wire [3:0] word, shown_word;

  nm_clock #(.OSC_MHZ(100)) clock (.osc(clk), .button(btnC), .clk(clk50), .rst(rst));

  nm_top #(
      .BUILD   (BUILD),
      .MODEL_ID(MODEL_ID),
      .TAG     (32'h33534142)  // "BAS3"
  ) top (
      .clk       (clk50),
      .rst       (rst),
      .rxd       (RsRx),
      .txd       (RsTx),
      .rx_led    (rx_led),
      .tx_led    (tx_led),
      .loaded    (loaded),
      .busy      (busy),
      .word_valid(word_valid),
      .word      (word)
  );

  nm_leds leds (
      .clk       (clk50),
      .rst       (rst),
      .line      (rx_led || tx_led),
      .word_valid(word_valid),
      .word      (word),
      .alive     (alive),
      .traffic   (traffic),
      .blink     (unused[0]),
      .dim       (unused[1]),
      .shown     (shown),
      .shown_word(shown_word)
  );

  assign led = {alive, busy, traffic, loaded, shown ? 12'd1 << shown_word : 12'd0};

endmodule

`default_nettype wire
