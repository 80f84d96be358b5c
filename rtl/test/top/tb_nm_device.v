// SPDX-License-Identifier: MIT
// nm_device between a player and a recorder of bytes, with a clock of its own.
`default_nettype none

module tb_nm_device (
    input  wire rst,
    output wire [11:0] divisor,
    input  wire rx_framing_error,
    input  wire rx_break,
    input  wire host_start,
    input  wire [15:0] host_count,
    input  wire [7:0] host_gap,
    output wire host_busy,
    input  wire [8:0] tx_pause,
    output wire [31:0] tx_count,
    output wire loaded,
    output wire busy,
    output wire word_valid,
    output wire [3:0] word
);

  reg clk = 1'b0;
  always #10 clk = ~clk;

  wire       rx_valid, tx_valid, tx_ready;
  wire [7:0] rx_data, tx_data;

  sim_player host (
      .clk(clk), .start(host_start), .count(host_count), .gap(host_gap), .pause(9'd0), .busy(host_busy),
      .valid(rx_valid), .ready(1'b1), .data(rx_data)
  );
  sim_recorder #(.WIDTH(8)) tx (
      .clk(clk), .pause(tx_pause), .count(tx_count), .valid(tx_valid), .ready(tx_ready), .data(tx_data)
  );

  nm_device dut (
      .clk             (clk),
      .rst             (rst),
      .divisor         (divisor),
      .rx_valid        (rx_valid),
      .rx_data         (rx_data),
      .rx_framing_error(rx_framing_error),
      .rx_break        (rx_break),
      .tx_valid        (tx_valid),
      .tx_ready        (tx_ready),
      .tx_data         (tx_data),
      .tx_idle         (!tx_valid),
      .loaded          (loaded),
      .busy            (busy),
      .word_valid      (word_valid),
      .word            (word)
  );

endmodule

`default_nettype wire
