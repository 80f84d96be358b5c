// SPDX-License-Identifier: MIT
// One PCM frame into the FIFO, from `start` to `done`: hops that are missing before it, up to KWS_MAX_FILL, become hops
// of zeros; when more are missing nothing is written and `lost` ends it instead. A frame that does not fit is dropped.
// `index` of its first sample and the bytes (`addr`, one cycle later `data`) stay until the end. `clear` starts anew at
// sample 0; `expected` is the next sample's index. `gap` and `overrun` strobe for the statistics.
`default_nettype none
`include "protocol.vh"

module link_audio (
    input  wire        clk,
    input  wire        rst,
    input  wire        clear,
    input  wire        start,
    input  wire [31:0] index,
    output wire        done,
    output wire        lost,
    output wire [31:0] expected,
    output wire [9:0]  addr,
    input  wire [7:0]  data,
    output wire        gap,
    output wire        overrun,
    // pcm_fifo
    output wire        pcm_en,
    output wire [15:0] pcm_data,
    output wire        pcm_push,
    output wire        pcm_zero,
    output wire [31:0] pcm_index,
    input  wire        pcm_room,
    input  wire [4:0]  pcm_free
);

  localparam [1:0] IDLE = 2'd0, LOOK = 2'd1, ZEROS = 2'd2, COPY = 2'd3;
  localparam [31:0] HOP = {16'd0, `KWS_HOP};
  localparam [7:0] MAX_FILL = `KWS_MAX_FILL;
  localparam [15:0] PCM_BYTES = `KWS_LEN_PCM;
  localparam [9:0] LENGTH = PCM_BYTES[9:0];

  reg [1:0]  state_q = IDLE;
  reg [31:0] expected_q = 32'd0;
  reg [31:0] want_q = 32'd0;    // the index after missing_q hops
  reg [7:0]  missing_q = 8'd0;
  reg [9:0]  count_q = 10'd0;   // address of the byte asked for; `data` is the one before
  reg [7:0]  low_q = 8'd0;

  wire found = state_q == LOOK && index == want_q;
  wire fits = pcm_room && pcm_free > missing_q[4:0];
  wire last = state_q == COPY && count_q == LENGTH;

  always @(posedge clk) begin
    low_q <= data;
    case (state_q)
      IDLE: begin
        missing_q <= 8'd0;
        want_q <= expected_q;
        count_q <= 10'd4;
        if (start) state_q <= LOOK;
      end
      LOOK:
      if (found) state_q <= !fits ? IDLE : missing_q != 8'd0 ? ZEROS : COPY;
      else if (lost) state_q <= IDLE;
      else begin
        missing_q <= missing_q + 8'd1;
        want_q <= want_q + HOP;
      end
      ZEROS: begin
        missing_q  <= missing_q - 8'd1;
        expected_q <= expected_q + HOP;
        if (missing_q == 8'd1) state_q <= COPY;
      end
      default: begin
        count_q <= count_q + 10'd1;
        if (last) begin
          expected_q <= expected_q + HOP;
          state_q <= IDLE;
        end
      end
    endcase
    if (clear || rst) expected_q <= 32'd0;
    if (rst) state_q <= IDLE;
  end

  assign lost = state_q == LOOK && !found && missing_q == MAX_FILL;
  assign done = last || (found && !fits);
  assign overrun = found && !fits;
  assign gap = lost || (found && missing_q != 8'd0);
  assign expected = expected_q;
  assign addr = count_q;
  assign pcm_en = state_q == COPY && count_q != 10'd4 && !count_q[0];
  assign pcm_data = {data, low_q};
  assign pcm_zero = state_q == ZEROS;
  assign pcm_push = pcm_zero || last;
  assign pcm_index = expected_q;

endmodule

`default_nettype wire
