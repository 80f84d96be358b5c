// SPDX-License-Identifier: MIT
// COBS decoder, one byte per cycle, always ready; in step again after any garbage at the next zero byte.
// `m_valid` with `m_data` for each decoded byte. At a delimiter that ends at least one byte `m_end` strobes, with
// `m_ok` when the stretch was well formed. `flush` forgets the present stretch. Outputs are registered.
`default_nettype none

module cobs_decoder (
    input  wire       clk,
    input  wire       rst,
    input  wire       flush,
    input  wire       s_valid,
    input  wire [7:0] s_data,
    output wire       m_valid,
    output wire [7:0] m_data,
    output wire       m_end,
    output wire       m_ok
);

  reg [7:0] left_q = 8'd0;  // bytes left in the group
  reg       zero_q = 1'b0;  // the group stands before a zero, which is due unless the stretch ends
  reg       some_q = 1'b0;  // the stretch has a byte
  reg       valid_q = 1'b0, end_q = 1'b0, ok_q = 1'b0;
  reg [7:0] data_q = 8'd0;

  wire delimiter = s_data == 8'd0;
  wire code = left_q == 8'd0;

  always @(posedge clk) begin
    valid_q <= s_valid && !delimiter && (!code || zero_q);
    data_q <= code ? 8'd0 : s_data;
    end_q <= s_valid && delimiter && some_q;
    ok_q <= code;
    if (s_valid) begin
      some_q <= !delimiter;
      if (delimiter) begin
        left_q <= 8'd0;
        zero_q <= 1'b0;
      end else if (code) begin
        left_q <= s_data - 8'd1;
        zero_q <= s_data != 8'hFF;
      end else begin
        left_q <= left_q - 8'd1;
      end
    end
    if (rst || flush) begin
      left_q  <= 8'd0;
      zero_q  <= 1'b0;
      some_q  <= 1'b0;
      valid_q <= 1'b0;
      end_q   <= 1'b0;
    end
  end

  assign m_valid = valid_q;
  assign m_data = data_q;
  assign m_end = end_q;
  assign m_ok = ok_q;

endmodule

`default_nettype wire
