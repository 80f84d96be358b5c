// SPDX-License-Identifier: MIT
// Multiplier or adder, accumulator, rounding shifter, saturation: one element a cycle, the result of a row four cycles
// after its last element. f is 42 bits, b 36; a product takes 18 bits of one of them (`swap`: of f, else of b).
// `alu`, `swap`, `acc_neg`, `acc_max` and `sat` must not change while elements are under way; `shift` goes with the last.
// acc_neg subtracts all elements of a row but the first; acc_max keeps the largest.
// The result is sat(rsh(sum, shift)), round half up: docs/fixed_point.md, section 1. It stays until the next one.
`default_nettype none
`include "nm_isa.vh"

module nm_mac (
    input  wire               clk,
    input  wire               rst,
    input  wire               valid,
    input  wire               last,
    input  wire signed [41:0] f,
    input  wire signed [35:0] b,
    input  wire        [5:0]  shift,
    input  wire        [2:0]  alu,
    input  wire               swap,
    input  wire               acc_neg,
    input  wire               acc_max,
    input  wire        [3:0]  sat,
    output wire               busy,
    output wire               done,
    output wire signed [41:0] result
);

  // ---- product or sum -----------------------------------------------------------------------------------------
  wire signed [41:0] b42 = {{6{b[35]}}, b};
  wire signed [41:0] wide = swap ? b42 : f;
  wire signed [17:0] narrow = swap ? f[17:0] : b[17:0];
  wire signed [59:0] product = wide * narrow;

  wire signed [42:0] f43 = {f[41], f};
  wire signed [42:0] b43 = {b42[41], b42};
  wire signed [42:0] size_f = f[41] ? -f43 : f43;
  wire signed [42:0] size_b = b[35] ? -b43 : b43;
  wire               sizes = alu == `NM_ALU_MAXABS;
  wire signed [42:0] left = sizes ? size_f : f43;
  wire signed [42:0] right = sizes ? size_b : b43;
  wire               more = left > right;
  wire               low = alu == `NM_ALU_MIN;

  reg  signed [42:0] sum;
  always @* begin
    case (alu)
      `NM_ALU_ADD: sum = f43 + b43;
      `NM_ALU_SUB: sum = f43 - b43;
      `NM_ALU_RSUB: sum = b43 - f43;
      `NM_ALU_PASS: sum = f43;
      default: sum = more != low ? left : right;
    endcase
  end

  reg               v1_q = 1'b0, v2_q = 1'b0, v3_q = 1'b0, v4_q = 1'b0;
  reg               last1_q, fresh_q = 1'b1;
  reg        [5:0]  shift1_q, shift2_q;
  reg signed [60:0] m_q, acc_q, shifted_q;

  always @(posedge clk) begin
    v1_q     <= valid;
    last1_q  <= last;
    shift1_q <= shift;
    m_q      <= alu == `NM_ALU_MUL ? {product[59], product} : {{18{sum[42]}}, sum};
    if (rst) v1_q <= 1'b0;
  end

  // ---- accumulator --------------------------------------------------------------------------------------------
  wire signed [60:0] total = acc_neg ? acc_q - m_q : acc_q + m_q;

  always @(posedge clk) begin
    v2_q     <= v1_q && last1_q;
    shift2_q <= shift1_q;
    if (v1_q) begin
      fresh_q <= last1_q;
      acc_q <= fresh_q || (acc_max && m_q > acc_q) ? m_q : acc_max ? acc_q : total;
    end
    if (rst) begin
      v2_q <= 1'b0;
      fresh_q <= 1'b1;
    end
  end

  // ---- rounding shift: one bit more, then the half is added ---------------------------------------------------
  wire signed [61:0] far = $signed({acc_q, 1'b0}) >>> shift2_q;
  wire signed [61:0] rounded = far + 62'sd1;

  always @(posedge clk) begin
    v3_q <= v2_q && !rst;
    shifted_q <= rounded[61:1];
  end

  // ---- saturation ---------------------------------------------------------------------------------------------
  // `top` is the largest value; a signed field's smallest is its complement, an unsigned one's is 0.
  reg [41:0] top;
  reg        is_signed;
  always @* begin
    case (sat)
      4'd1: {is_signed, top} = {1'b1, 42'h7FFF};
      4'd2: {is_signed, top} = {1'b1, 42'h1FFFF};
      4'd3: {is_signed, top} = {1'b1, 42'h7FFFFF};
      4'd4: {is_signed, top} = {1'b1, 42'hFFFFFF};
      4'd5: {is_signed, top} = {1'b1, 42'h7FFFFFFF};
      4'd6: {is_signed, top} = {1'b0, 42'h7FFF};
      4'd7: {is_signed, top} = {1'b0, 42'hFFFF};
      4'd8: {is_signed, top} = {1'b0, 42'h1FFFF};
      4'd9: {is_signed, top} = {1'b0, 42'h7FFFFF};
      4'd10: {is_signed, top} = {1'b0, 42'hFFFFFF};
      4'd11: {is_signed, top} = {1'b0, 42'h7FFFFFFF};
      4'd12: {is_signed, top} = {1'b0, 42'hFFFFFFFF};
      4'd13: {is_signed, top} = {1'b1, 42'h7FFFF};
      default: {is_signed, top} = {1'b1, 42'h1FFFFFFFFFF};
    endcase
  end

  wire               negative = shifted_q[60];
  wire        [60:0] above = {19'd0, ~top};  // bits that a number in range has equal to its sign
  wire               high = (shifted_q[59:42] != 18'd0) || ((shifted_q & {{19{1'b0}}, above[41:0]}) != 61'd0);
  wire               deep = (~shifted_q[59:42] != 18'd0) || ((~shifted_q[41:0] & ~top) != 42'd0);
  reg signed  [41:0] result_q = 42'sd0;

  always @(posedge clk) begin
    v4_q <= v3_q && !rst;
    if (v3_q)
      result_q <= !negative ? (high ? top : shifted_q[41:0]) : !is_signed ? 42'd0 : deep ? ~top : shifted_q[41:0];
  end

  assign busy = v1_q || v2_q || v3_q || v4_q;
  assign done = v4_q;
  assign result = result_q;

  wire unused = &{1'b0, rounded[0], above[60:42]};

endmodule

`default_nettype wire
