// SPDX-License-Identifier: MIT
// The image of a network as it came over the link, with the program's literals above it: 16 KB.
// Port A gives the 32-bit word that holds byte `a_addr` one cycle later. Port B gives one byte one cycle later, and
// writes it when `b_we` is high too. Without its enable a port does nothing, and what it read stays.
`default_nettype none

module nm_image (
    input  wire        clk,
    input  wire        a_en,
    input  wire [11:0] a_addr,   // word
    output wire [31:0] a_data,
    input  wire        b_en,
    input  wire        b_we,
    input  wire [13:0] b_addr,   // byte
    input  wire [7:0]  b_wdata,
    output wire [7:0]  b_data
);

  wire [31:0] b_word;
  reg  [1:0]  b_lane_q;

  always @(posedge clk) if (b_en) b_lane_q <= b_addr[1:0];

  nm_lane #(.FILE("nm_image0.mem")) lane0 (
      .clk(clk), .a_en(a_en), .a_addr(a_addr), .a_data(a_data[7:0]), .b_en(b_en), .b_we(b_we && b_addr[1:0] == 2'd0),
      .b_addr(b_addr[13:2]), .b_wdata(b_wdata), .b_data(b_word[7:0])
  );
  nm_lane #(.FILE("nm_image1.mem")) lane1 (
      .clk(clk), .a_en(a_en), .a_addr(a_addr), .a_data(a_data[15:8]), .b_en(b_en), .b_we(b_we && b_addr[1:0] == 2'd1),
      .b_addr(b_addr[13:2]), .b_wdata(b_wdata), .b_data(b_word[15:8])
  );
  nm_lane #(.FILE("nm_image2.mem")) lane2 (
      .clk(clk), .a_en(a_en), .a_addr(a_addr), .a_data(a_data[23:16]), .b_en(b_en), .b_we(b_we && b_addr[1:0] == 2'd2),
      .b_addr(b_addr[13:2]), .b_wdata(b_wdata), .b_data(b_word[23:16])
  );
  nm_lane #(.FILE("nm_image3.mem")) lane3 (
      .clk(clk), .a_en(a_en), .a_addr(a_addr), .a_data(a_data[31:24]), .b_en(b_en), .b_we(b_we && b_addr[1:0] == 2'd3),
      .b_addr(b_addr[13:2]), .b_wdata(b_wdata), .b_data(b_word[31:24])
  );

  assign b_data = b_word[{b_lane_q, 3'd0}+:8];

endmodule

`default_nettype wire
