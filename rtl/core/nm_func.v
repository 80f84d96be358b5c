// SPDX-License-Identifier: MIT
// Table unit: functions of a 42-bit signed number, one a cycle, result three cycles later (docs/fixed_point.md, 1.1).
// `func` is one of NM_F_*; LOG2, BITS and NORM look at the low 40 bits of x as an unsigned number. SPLIT gives the
// positive part of x when `first` is high, else the negative part. EXP is MANT with 16 zeros behind it.
// There is no handshake: whoever uses the unit moves its own valid bit along.
`default_nettype none
`include "nm_isa.vh"

module nm_func (
    input  wire               clk,
    input  wire               en,      // of the table's memory
    input  wire        [3:0]  func,
    input  wire               first,
    input  wire signed [41:0] x,
    output wire signed [41:0] y
);

  // ---- stage 1: position in the table -------------------------------------------------------------------------
  // Leading one to bit 39 in six steps; `zeros` counts how far.
  wire [39:0] n0 = x[39:0];
  wire        z5 = n0[39:8] == 32'd0;
  wire [39:0] n1 = z5 ? {n0[7:0], 32'd0} : n0;
  wire        z4 = n1[39:24] == 16'd0;
  wire [39:0] n2 = z4 ? {n1[23:0], 16'd0} : n1;
  wire        z3 = n2[39:32] == 8'd0;
  wire [39:0] n3 = z3 ? {n2[31:0], 8'd0} : n2;
  wire        z2 = n3[39:36] == 4'd0;
  wire [39:0] n4 = z2 ? {n3[35:0], 4'd0} : n3;
  wire        z1 = n4[39:38] == 2'd0;
  wire [39:0] n5 = z1 ? {n4[37:0], 2'd0} : n4;
  wire        z0 = !n5[39];
  wire [37:0] n6 = z0 ? n5[37:0] : n5[38:1];  // the bits behind the leading one
  wire [5:0]  zeros = {z5, z4, z3, z2, z1, z0};
  wire        none = n0 == 40'd0;

  wire [41:0] size = x[41] ? 42'd0 - x : x;
  wire [15:0] arm = size[41:16] != 26'd0 ? 16'hFFFF : size[15:0];

  reg  [15:0] u;
  reg  [1:0]  which;
  always @* begin
    case (func)
      `NM_F_LOG2: {which, u} = {2'd0, n6[37:22]};
      `NM_F_SIGMA: {which, u} = {2'd2, arm};
      `NM_F_SOFTPLUS: {which, u} = {2'd3, arm};
      default: {which, u} = {2'd1, x[15:0]};
    endcase
  end

  reg        [3:0]  func1_q, func2_q;
  reg               first1_q, first2_q, none1_q, none2_q;
  reg        [5:0]  top1_q, top2_q;  // number of the leading one's bit
  reg        [15:0] u1_q;
  reg        [1:0]  which1_q;
  reg        [7:0]  rest2_q;
  reg signed [41:0] x1_q, x2_q, y_q;
  wire       [35:0] word;

  always @(posedge clk) begin
    func1_q  <= func;
    first1_q <= first;
    none1_q  <= none;
    top1_q   <= 6'd39 - zeros;
    u1_q     <= u;
    which1_q <= which;
    x1_q     <= x;
    // stage 2: the table is read
    func2_q  <= func1_q;
    first2_q <= first1_q;
    none2_q  <= none1_q;
    top2_q   <= top1_q;
    rest2_q  <= u1_q[7:0];
    x2_q     <= x1_q;
  end

  nm_rom #(
      .WIDTH(36),
      .DEPTH(1024),
      .FILE ("nm_func.mem")
  ) table_rom (
      .clk (clk),
      .en  (en),
      .addr({which1_q, u1_q[15:8]}),
      .data(word)
  );

  // ---- stage 3: interpolation ---------------------------------------------------------------------------------
  wire signed [17:0] slope = word[35:18];
  wire signed [8:0]  rest = {1'b0, rest2_q};
  wire signed [26:0] product = slope * rest;
  wire signed [26:0] rounded = product + 27'sd128;
  wire signed [18:0] t = $signed({1'b0, word[17:0]}) + rounded[26:8];
  wire               unused = &{1'b0, rounded[7:0]};

  wire        [6:0]  bits = none2_q ? 7'd0 : {1'b0, top2_q} + 7'd1;
  wire signed [18:0] mant = 19'sd65536 + t;
  wire signed [18:0] sigma = x2_q[41] ? 19'sd65536 - t : t;
  wire signed [41:0] t42 = {{23{t[18]}}, t};

  reg signed [41:0] y3;
  always @* begin
    case (func2_q)
      `NM_F_ID: y3 = x2_q;
      `NM_F_LOG2: y3 = none2_q ? -42'sd2097152 : $signed({20'd0, top2_q, 16'd0}) + t42;
      `NM_F_MANT: y3 = {{23{mant[18]}}, mant};
      `NM_F_EXP: y3 = {{7{mant[18]}}, mant, 16'd0};
      `NM_F_SIGMA: y3 = {{23{sigma[18]}}, sigma};
      `NM_F_SOFTPLUS: y3 = t42 + (x2_q[41] ? 42'sd0 : x2_q <<< 4);
      `NM_F_BITS: y3 = {35'd0, bits};
      `NM_F_NORM: y3 = bits > 7'd16 ? {35'd0, bits - 7'd16} : 42'd0;
      `NM_F_SPLIT: y3 = x2_q[41] == first2_q ? 42'd0 : x2_q;
      default: y3 = 42'd0;
    endcase
  end

  always @(posedge clk) y_q <= y3;
  assign y = y_q;

  wire unused_ok = &{1'b0, unused, n6[21:0]};

endmodule

`default_nettype wire
