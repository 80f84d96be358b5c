// SPDX-License-Identifier: MIT
// Hops on their way to the core: 1024 samples (six hops) and up to 16 descriptors.
// Write the 160 samples of a hop, then `push` its descriptor; a hop pushed with `push_zero` has no samples stored and
// reads as zeros. Check `room` (a hop of samples fits) and `free` (descriptors) first. `flush` empties it.
// The reader gets samples with valid/ready, `m_first` with the first of each hop; `m_index` and `m_zero` stay for the hop.
`default_nettype none
`include "protocol.vh"

module pcm_fifo (
    input  wire        clk,
    input  wire        rst,
    input  wire        flush,
    input  wire        w_en,
    input  wire [15:0] w_data,
    input  wire        push,
    input  wire        push_zero,
    input  wire [31:0] push_index,
    output wire        room,
    output wire [4:0]  free,
    output wire        m_valid,
    input  wire        m_ready,
    output wire [15:0] m_data,
    output wire        m_first,
    output wire [31:0] m_index,
    output wire        m_zero
);

  localparam [15:0] HOP16 = `KWS_HOP;
  localparam [7:0] HOP = HOP16[7:0];
  localparam [1:0] IDLE = 2'd0, FETCH = 2'd1, OUT = 2'd2;

  reg [15:0] samples[0:1023];
  reg [32:0] hops[0:15];
  reg [15:0] read_q = 16'd0;
  reg [10:0] w_q = 11'd0, r_q = 11'd0;
  reg [4:0]  push_q = 5'd0, pop_q = 5'd0;
  reg [1:0]  state_q = IDLE;
  reg [7:0]  count_q = 8'd0;
  reg [32:0] hop_q = 33'd0;

  wire [10:0] used = w_q - r_q;
  wire [4:0]  held = push_q - pop_q;

  always @(posedge clk) begin
    if (w_en) samples[w_q[9:0]] <= w_data;
    read_q <= samples[r_q[9:0]];
    if (push) hops[push_q[3:0]] <= {push_zero, push_index};
  end

  always @(posedge clk) begin
    if (w_en) w_q <= w_q + 11'd1;
    if (push) push_q <= push_q + 5'd1;
    case (state_q)
      IDLE: begin
        count_q <= 8'd0;
        hop_q <= hops[pop_q[3:0]];
        if (held != 5'd0) begin
          pop_q   <= pop_q + 5'd1;
          state_q <= FETCH;
        end
      end
      FETCH: state_q <= OUT;
      default:
      if (m_ready) begin
        count_q <= count_q + 8'd1;
        if (!m_zero) r_q <= r_q + 11'd1;
        state_q <= count_q == HOP - 8'd1 ? IDLE : FETCH;
      end
    endcase
    if (rst || flush) begin
      w_q <= 11'd0;
      r_q <= 11'd0;
      push_q <= 5'd0;
      pop_q <= 5'd0;
      state_q <= IDLE;
    end
  end

  assign room = used <= 11'd1024 - {3'd0, HOP};
  assign free = 5'd16 - held;
  assign m_valid = state_q == OUT;
  assign m_data = m_zero ? 16'd0 : read_q;
  assign m_first = count_q == 8'd0;
  assign m_index = hop_q[31:0];
  assign m_zero = hop_q[32];

endmodule

`default_nettype wire
