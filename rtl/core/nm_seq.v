// SPDX-License-Identifier: MIT
// Sequencer: fetches instructions from the program memory, runs their loops, one element a cycle, and waits until the
// pipeline is empty before the next. `start` runs from `entry` to the first instruction marked stop; `idle` until then.
// `word` is the instruction under way, stable while any of its elements is; `load` is high in the cycle before its
// first element. Per element: `issue`, `first` and `last` of its row. `step` follows the innermost loop (0: next row).
// A false condition skips the instruction. `rst` also aborts a run.
`default_nettype none
`include "nm_isa.vh"

module nm_seq (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     start,
    input  wire [8:0]               entry,
    input  wire                     pipe_busy,
    input  wire                     flag,      // of the last instruction that set it
    output wire                     idle,
    output wire                     load,
    output wire [`NM_WORD_BITS-1:0] next_word, // valid with load
    output wire [`NM_WORD_BITS-1:0] word,
    output wire                     issue,
    output wire                     first,
    output wire                     last,
    output wire                     inner_end,
    output wire [8:0]               pc
);

  localparam [2:0] IDLE = 3'd0, FETCH = 3'd1, DECODE = 3'd2, RUN = 3'd3, DRAIN = 3'd4;

  reg [2:0]               state_q = IDLE;
  reg [8:0]               pc_q = 9'd0;     // what the program memory is asked for
  reg [8:0]               now_q = 9'd0;    // what is under way
  reg [`NM_WORD_BITS-1:0] word_q;
  reg [9:0]               inner_q, outer_q;
  reg                     first_q;
  wire [`NM_WORD_BITS-1:0] rom;

  nm_rom #(
      .WIDTH(`NM_WORD_BITS),
      .DEPTH(512),
      .FILE ("nm_program.mem")
  ) program_rom (
      .clk (clk),
      .en  (!idle),
      .addr(pc_q),
      .data(rom)
  );

  wire [1:0] cond = rom[`NM_I_COND];
  wire       taken = cond == `NM_C_ALWAYS || (cond == `NM_C_IF_NEGATIVE) == flag;
  wire       inner_done = inner_q == 10'd0;

  always @(posedge clk) begin
    case (state_q)
      IDLE:
      if (start) begin
        pc_q <= entry;
        state_q <= FETCH;
      end
      FETCH: state_q <= DECODE;
      DECODE: begin
        now_q <= pc_q;
        pc_q  <= pc_q + 9'd1;
        word_q <= rom;
        inner_q <= rom[`NM_I_INNER];
        outer_q <= rom[`NM_I_OUTER];
        first_q <= 1'b1;
        state_q <= taken ? RUN : rom[`NM_I_STOP] ? IDLE : FETCH;
      end
      RUN: begin
        first_q <= inner_done;
        inner_q <= inner_done ? word_q[`NM_I_INNER] : inner_q - 10'd1;
        if (inner_done) begin
          outer_q <= outer_q - 10'd1;
          if (outer_q == 10'd0) state_q <= DRAIN;
        end
      end
      default: if (!pipe_busy) state_q <= word_q[`NM_I_STOP] ? IDLE : DECODE;
    endcase
    if (rst) state_q <= IDLE;
  end

  assign idle = state_q == IDLE;
  assign load = state_q == DECODE && taken;
  assign next_word = rom;
  assign word = word_q;
  assign issue = state_q == RUN;
  assign first = first_q;
  assign last = inner_done || word_q[`NM_I_EACH];
  assign inner_end = inner_done;
  assign pc = now_q;

endmodule

`default_nettype wire
