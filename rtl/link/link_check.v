// SPDX-License-Identifier: MIT
// The first 12 bytes of a frame's payload as arguments, and whether its type is known and its length fits the type.
// `take` stores the byte of address `count` - 1, `clear` makes all of them 0.
`default_nettype none
`include "protocol.vh"

module link_check (
    input  wire        clk,
    input  wire        clear,
    input  wire        take,
    input  wire [3:0]  count,
    input  wire [7:0]  data,
    output wire [31:0] word0,
    output wire [31:0] word1,
    output wire [31:0] word2,
    input  wire [7:0]  frame_type,
    input  wire [15:0] frame_len,
    output reg         known,
    output reg         length_ok
);

  reg [95:0] arg_q = 96'd0;
  integer    i;

  always @(posedge clk)
    if (clear) arg_q <= 96'd0;
    else if (take)
      for (i = 0; i < 12; i = i + 1) if (count == i[3:0] + 4'd1) arg_q[8*i+:8] <= data;

  assign word0 = arg_q[31:0];
  assign word1 = arg_q[63:32];
  assign word2 = arg_q[95:64];

  always @* begin
    known = 1'b1;
    case (frame_type)
      `KWS_TYPE_HELLO: length_ok = frame_len == `KWS_LEN_HELLO;
      `KWS_TYPE_RESET: length_ok = frame_len == `KWS_LEN_RESET;
      `KWS_TYPE_LOAD_WEIGHTS: length_ok = frame_len >= `KWS_LEN_LOAD_MIN && frame_len <= `KWS_LEN_LOAD_MAX;
      `KWS_TYPE_COMMIT: length_ok = frame_len == `KWS_LEN_COMMIT;
      `KWS_TYPE_SET_BAUD: length_ok = frame_len == `KWS_LEN_SET_BAUD;
      `KWS_TYPE_SET_MODE: length_ok = frame_len == `KWS_LEN_SET_MODE;
      `KWS_TYPE_PCM_FRAME: length_ok = frame_len == `KWS_LEN_PCM;
      `KWS_TYPE_FEAT_FRAME: length_ok = frame_len == `KWS_LEN_FEAT;
      `KWS_TYPE_GET_STATS: length_ok = frame_len == 16'd0;
      default: begin
        length_ok = 1'b0;
        known = 1'b0;
      end
    endcase
  end

endmodule

`default_nettype wire
