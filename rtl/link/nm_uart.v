// SPDX-License-Identifier: MIT
// Both directions of a UART, 8N1 at `divisor` clocks per bit, on the byte ports of nm_device (uart_rx.v, uart_tx.v).
`default_nettype none

module nm_uart (
    input  wire        clk,
    input  wire        rst,
    input  wire [11:0] divisor,
    input  wire        rxd,
    output wire        txd,
    output wire        rx_valid,
    output wire [7:0]  rx_data,
    output wire        rx_framing_error,
    output wire        rx_break,
    input  wire        tx_valid,
    output wire        tx_ready,
    input  wire [7:0]  tx_data,
    output wire        tx_idle
);

  uart_rx receiver (
      .clk          (clk),
      .rst          (rst),
      .divisor      (divisor),
      .rxd          (rxd),
      .m_valid      (rx_valid),
      .m_data       (rx_data),
      .framing_error(rx_framing_error),
      .line_break   (rx_break)
  );

  uart_tx sender (
      .clk    (clk),
      .rst    (rst),
      .divisor(divisor),
      .s_valid(tx_valid),
      .s_ready(tx_ready),
      .s_data (tx_data),
      .txd    (txd),
      .idle   (tx_idle)
  );

endmodule

`default_nettype wire
