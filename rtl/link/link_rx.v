// SPDX-License-Identifier: MIT
// Frame receiver: decoded bytes in, frames with a proven CRC out, two at a time at most.
// A frame is presented with `frame_valid` and stays until `frame_done`; its payload is read through `rd_addr`, the
// byte comes one cycle later. Meanwhile the next frame is received; a third finds no room and strobes `overrun`.
// `good` and `bad` strobe at the end of each stretch that was, or was not, an intact frame.
`default_nettype none
`include "protocol.vh"

module link_rx (
    input  wire        clk,
    input  wire        rst,
    input  wire        flush,        // forget the frame being received
    input  wire        s_valid,
    input  wire [7:0]  s_data,
    input  wire        s_end,
    input  wire        s_ok,
    output wire        frame_valid,
    input  wire        frame_done,
    output wire [7:0]  frame_version,
    output wire [7:0]  frame_type,
    output wire [15:0] frame_seq,
    output wire [15:0] frame_len,
    input  wire [9:0]  rd_addr,
    output wire [7:0]  rd_data,
    output wire        good,
    output wire        bad,
    output wire        overrun
);

  localparam [15:0] MAX_LEN = `KWS_MAX_PAYLOAD;

  reg [7:0]  payload[0:2047];  // two slots of 1024
  reg [7:0]  read_q = 8'd0;
  reg        fill_q = 1'b0;  // slot being filled
  reg        show_q = 1'b0;  // slot being presented
  reg [1:0]  full_q = 2'b00;
  reg [47:0] head0_q = 48'd0, head1_q = 48'd0;  // version, type, seq, len of the slots
  reg [47:0] head_q = 48'd0;  // of the frame being received
  reg [15:0] held_q = 16'd0;  // last two bytes: at the end they are the CRC
  reg [1:0]  holds_q = 2'd0;
  reg [15:0] count_q = 16'd0;  // bytes before those
  reg        good_q = 1'b0, bad_q = 1'b0, overrun_q = 1'b0;

  wire        take = s_valid && holds_q == 2'd2;  // a byte leaves the two held
  wire [7:0]  data = held_q[7:0];
  wire [15:0] position = count_q - 16'd6;  // in the payload
  wire        head = count_q < 16'd6;
  wire        room = ~full_q[fill_q];
  wire [15:0] crc;
  wire [15:0] len = head_q[47:32];
  wire        intact = s_ok && !head && crc == held_q && len == position && len <= MAX_LEN;

  crc16 crc16_i (
      .clk  (clk),
      .clear(rst || flush || s_end),
      .en   (take),
      .data (data),
      .crc  (crc)
  );

  always @(posedge clk) begin
    if (take && !head && position < MAX_LEN && room) payload[{fill_q, position[9:0]}] <= data;
    read_q <= payload[{show_q, rd_addr}];
  end

  always @(posedge clk) begin
    good_q <= s_end && intact;
    bad_q <= s_end && !intact;
    overrun_q <= s_end && intact && !room;
    if (s_valid) begin
      held_q <= {s_data, held_q[15:8]};
      if (holds_q != 2'd2) holds_q <= holds_q + 2'd1;
    end
    if (take) begin
      if (count_q != 16'hFFFF) count_q <= count_q + 16'd1;
      if (head) head_q <= {data, head_q[47:8]};
    end
    if (frame_done) begin
      full_q[show_q] <= 1'b0;
      show_q <= ~show_q;
    end
    if (s_end || flush) begin
      holds_q <= 2'd0;
      count_q <= 16'd0;
    end
    if (s_end && intact && room) begin
      full_q[fill_q] <= 1'b1;
      fill_q <= ~fill_q;
      if (fill_q) head1_q <= head_q;
      else head0_q <= head_q;
    end
    if (rst) begin
      fill_q  <= 1'b0;
      show_q  <= 1'b0;
      full_q  <= 2'b00;
      holds_q <= 2'd0;
      count_q <= 16'd0;
    end
  end

  assign frame_valid = full_q[show_q];
  assign {frame_len, frame_seq, frame_type, frame_version} = show_q ? head1_q : head0_q;
  assign rd_data = read_q;
  assign good = good_q;
  assign bad = bad_q;
  assign overrun = overrun_q;

endmodule

`default_nettype wire
