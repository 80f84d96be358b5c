// SPDX-License-Identifier: MIT
// Cmod A7-35T. LD1 is on while weights are loaded and blinks without them, LD2 shows traffic on the line.
// The word on the colour LED (lit when its pins are low): red, green, blue, yellow and magenta are yes, no, up, down and
// left; the same colours blinking are right, on, off, stop and go; white is unknown; dark is silence. BTN0 resets.
`default_nettype none

module nm_cmod #(
    parameter [63:0] BUILD = 64'd0,
    parameter [31:0] MODEL_ID = 32'd0
) (
    input  wire       sysclk,
    input  wire [0:0] btn,
    input  wire       uart_txd_in,
    output wire       uart_rxd_out,
    output wire [1:0] led,
    output wire       led0_r,
    output wire       led0_g,
    output wire       led0_b
);

  wire clk, rst, rx_led, tx_led, loaded, word_valid, traffic, blink, dim, shown;
  wire [1:0] unused;
  wire [3:0] word, shown_word;

  nm_clock #(.OSC_MHZ(12)) clock (.osc(sysclk), .button(btn[0]), .clk(clk), .rst(rst));

  nm_top #(
      .BUILD   (BUILD),
      .MODEL_ID(MODEL_ID),
      .TAG     (32'h444F4D43)  // "CMOD"
  ) top (
      .clk       (clk),
      .rst       (rst),
      .rxd       (uart_txd_in),
      .txd       (uart_rxd_out),
      .rx_led    (rx_led),
      .tx_led    (tx_led),
      .loaded    (loaded),
      .busy      (unused[0]),
      .word_valid(word_valid),
      .word      (word)
  );

  nm_leds leds (
      .clk       (clk),
      .rst       (rst),
      .line      (rx_led || tx_led),
      .word_valid(word_valid),
      .word      (word),
      .alive     (unused[1]),
      .traffic   (traffic),
      .blink     (blink),
      .dim       (dim),
      .shown     (shown),
      .shown_word(shown_word)
  );

  reg [2:0] colour;  // red, green, blue
  always @* begin
    case (shown_word)
      4'd0, 4'd5: colour = 3'b100;
      4'd1, 4'd6: colour = 3'b010;
      4'd2, 4'd7: colour = 3'b001;
      4'd3, 4'd8: colour = 3'b110;
      4'd4, 4'd9: colour = 3'b101;
      4'd11: colour = 3'b111;
      default: colour = 3'b000;
    endcase
  end

  wire steady = shown_word < 4'd5 || shown_word == 4'd11;

  assign led = {traffic, loaded || blink};
  assign {led0_r, led0_g, led0_b} = ~(dim && shown && (steady || blink) ? colour : 3'b000);

endmodule

`default_nettype wire
