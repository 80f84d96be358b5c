// SPDX-License-Identifier: MIT
// What people see: a sign of life, traffic, and the word. A class that wins REPEATS results in a row is shown for HOLD
// ticks, also when no more results come; a tick is 2^TICK_BITS clocks (10.5 ms at 50 MHz).
// `dim` is a 1:8 pulse for LEDs that are too bright, `blink` changes every 16 ticks.
`default_nettype none

module nm_leds #(
    parameter TICK_BITS = 19,
    parameter [3:0] REPEATS = 4'd10,
    parameter [6:0] HOLD = 7'd96
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       line,        // traffic of any length
    input  wire       word_valid,
    input  wire [3:0] word,
    output wire       alive,
    output wire       traffic,     // `line` for at least four ticks
    output wire       blink,
    output wire       dim,
    output wire       shown,       // `shown_word` is to be seen
    output wire [3:0] shown_word
);

  reg [TICK_BITS+5:0] count_q = {TICK_BITS + 6{1'b0}};
  reg                 tick_q = 1'b0;
  reg [2:0]           traffic_q = 3'd0;
  reg [3:0]           last_q = 4'd0, run_q = 4'd0, shown_q = 4'd0;
  reg [6:0]           hold_q = 7'd0;

  wire       same = run_q != 4'd0 && word == last_q;
  wire [3:0] run = !same ? 4'd1 : run_q == REPEATS ? REPEATS : run_q + 4'd1;

  always @(posedge clk) begin
    count_q <= count_q + 1'b1;
    tick_q  <= &count_q[TICK_BITS-1:0];
    if (line) traffic_q <= 3'd4;
    else if (tick_q && traffic_q != 3'd0) traffic_q <= traffic_q - 3'd1;
    if (tick_q && hold_q != 7'd0) hold_q <= hold_q - 7'd1;
    if (word_valid) begin
      last_q <= word;
      run_q  <= run;
      if (run == REPEATS) begin
        shown_q <= word;
        hold_q  <= HOLD;
      end
    end
    if (rst) begin
      traffic_q <= 3'd0;
      run_q <= 4'd0;
      hold_q <= 7'd0;
    end
  end

  assign alive = count_q[TICK_BITS+5];
  assign blink = count_q[TICK_BITS+4];
  assign dim = count_q[TICK_BITS-4:TICK_BITS-6] == 3'd0;
  assign traffic = traffic_q != 3'd0;
  assign shown = hold_q != 7'd0;
  assign shown_word = shown_q;

endmodule

`default_nettype wire
