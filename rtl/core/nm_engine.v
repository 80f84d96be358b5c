// SPDX-License-Identifier: MIT
// The datapath with its memories and sequencer: runs one program entry at a time on the data memory (rtl/README.md).
// `start` with `entry` while `idle`; `rst` aborts. Between runs, and only then, the data memory is open: pcm_we writes a
// sample to the circular buffer at `pcm_at` (also the oldest sample's place while a run looks at it), o_addr with
// o_en reads bank Y one cycle later, feat_we writes word
// `feat_at` of a feature frame: 40 normed features, then 40 SNR. w_* is the byte port of the image memory: w_en writes, w_re reads one cycle later;
// reading it during a run gives no meaningful byte. Between runs nothing else moves (nm_power.v).
`default_nettype none
`include "nm_isa.vh"
`include "nm_program.vh"

module nm_engine (
    input  wire        clk,
    input  wire        rst,
    input  wire        start,
    input  wire [8:0]  entry,
    output wire        idle,
    // samples
    input  wire        pcm_we,
    input  wire [8:0]  pcm_at,
    input  wire [15:0] pcm_data,
    // features
    input  wire        feat_we,
    input  wire [6:0]  feat_at,
    input  wire [15:0] feat_data,
    // results
    input  wire        o_en,
    input  wire [11:0] o_addr,
    output wire [15:0] o_data,
    // image
    input  wire        w_en,
    input  wire        w_re,
    input  wire [13:0] w_addr,
    input  wire [7:0]  w_data,
    output wire [7:0]  w_rdata
);

  wire                     load, issue, first, last, inner_end, seq_idle;
  wire [`NM_WORD_BITS-1:0] word, next_word;
  wire [8:0]               pc;
  wire                     mac_busy, done;
  wire signed [41:0]       result;

  reg         v1_q = 1'b0, v2_q = 1'b0, v3_q = 1'b0, v4_q = 1'b0, v5_q = 1'b0, v6_q = 1'b0;
  reg         flag_q = 1'b0;
  reg  [12:0] ptr_q = 13'd0;
  reg  [6:0]  sh_q = 7'd0;
  wire        pipe_busy = v1_q || v2_q || v3_q || v4_q || v5_q || v6_q || mac_busy;

  nm_seq sequencer (
      .clk      (clk),
      .rst      (rst),
      .start    (start),
      .entry    (entry),
      .pipe_busy(pipe_busy),
      .flag     (flag_q),
      .idle     (seq_idle),
      .load     (load),
      .next_word(next_word),
      .word     (word),
      .issue    (issue),
      .first    (first),
      .last     (last),
      .inner_end(inner_end),
      .pc       (pc)
  );

  assign idle = seq_idle;

  // ---- power --------------------------------------------------------------------------------------------------
  wire en_datapath, en_results, en_words, en_bytes;

  nm_power power (
      .run        (!seq_idle),
      .sending    (o_en),
      .link_write (w_en),
      .link_read  (w_re),
      .en_datapath(en_datapath),
      .en_results (en_results),
      .en_words   (en_words),
      .en_bytes   (en_bytes)
  );

  // ---- addresses ----------------------------------------------------------------------------------------------
  wire [12:0] a0, d0;
  wire [13:0] b0;
  wire [12:0] ptr_a = next_word[`NM_I_PTR_A] ? ptr_q : 13'd0;
  wire [12:0] ptr_b = next_word[`NM_I_PTR_B] ? ptr_q : 13'd0;
  wire [12:0] ptr_d = next_word[`NM_I_PTR_D] ? ptr_q : 13'd0;
  wire [10:0] b_si = word[`NM_I_B_SI];
  wire [10:0] b_so = word[`NM_I_B_SO];

  nm_walk #(.WIDTH(13)) walk_a (
      .clk(clk), .load(load), .base(next_word[`NM_I_A_BASE] + ptr_a), .step(issue), .row_end(inner_end),
      .stride(word[`NM_I_A_SI]), .jump(word[`NM_I_A_SO]), .addr(a0)
  );
  nm_walk #(.WIDTH(14)) walk_b (
      .clk(clk), .load(load), .base(next_word[`NM_I_B_BASE] + {1'b0, ptr_b}), .step(issue), .row_end(inner_end),
      .stride({{3{b_si[10]}}, b_si}), .jump({{3{b_so[10]}}, b_so}), .addr(b0)
  );
  nm_walk #(.WIDTH(13)) walk_d (
      .clk(clk), .load(load), .base(next_word[`NM_I_D_BASE] + ptr_d), .step(done), .row_end(1'b0),
      .stride(13'd1), .jump(13'd1), .addr(d0)
  );

  wire [2:0]  a_mode = word[`NM_I_A_MODE];
  wire [2:0]  b_src = word[`NM_I_B_SRC];
  wire [13:0] aux = word[`NM_I_AUX];
  wire [3:0]  stage = aux[3:0];
  wire [8:0]  a_wing, d_wing;
  wire [8:0]  a_ring = a0[8:0] + pcm_at;

  nm_wing wing_a (.number(a0[7:0]), .stage(stage), .lower(a_mode == `NM_M_LOWER), .addr(a_wing));

  reg  [12:0] a1_q;
  reg  [13:0] b1_q;
  reg         first1_q, first2_q, first3_q, last1_q, last2_q, last3_q, last4_q, last5_q, last6_q;

  wire [16:0] window;
  wire [35:0] twiddle;
  wire [26:0] mel;
  wire [7:0]  turn = b0[7:0] << (4'd8 - stage);

  nm_rom #(.WIDTH(17), .DEPTH(512), .FILE("nm_window.mem")) window_rom (.clk(clk), .en(en_datapath), .addr(b0[8:0]), .data(window));
  nm_rom #(.WIDTH(36), .DEPTH(256), .FILE("nm_twiddle.mem")) twiddle_rom (.clk(clk), .en(en_datapath), .addr(turn), .data(twiddle));
  nm_rom #(.WIDTH(27), .DEPTH(512), .FILE("nm_mel.mem")) mel_rom (.clk(clk), .en(en_datapath), .addr(b0[8:0]), .data(mel));

  always @(posedge clk) begin
    v1_q <= issue && !rst;
    first1_q <= first;
    last1_q <= last;
    b1_q <= b0;
    case (a_mode)
      `NM_M_UPPER, `NM_M_LOWER: a1_q <= {a0[12:9], a_wing};
      `NM_M_WRAP: a1_q <= {a0[12:9], a_ring};
      default: a1_q <= a0;
    endcase
  end

  // ---- memories -----------------------------------------------------------------------------------------------
  wire        by_mel = a_mode == `NM_M_MEL;
  wire [12:0] a_addr = a1_q + (by_mel ? {4'd0, mel[25:17]} : 13'd0);
  wire        d_linear = word[`NM_I_D_MODE] == 2'd0;
  reg  [12:0] d_addr;
  wire        write = done && word[`NM_I_D_WE];
  wire        both = word[`NM_I_D_BOTH];
  wire        from_port = (pcm_we || feat_we) && idle;
  wire [12:0] feat_addr = feat_at < 7'd40 ? `NM_A_NORMED + {6'd0, feat_at} : `NM_A_SNR - 13'd40 + {6'd0, feat_at};
  wire [12:0] port_addr = feat_we ? feat_addr : `NM_A_PCM + {4'd0, pcm_at};
  wire [15:0] port_data = feat_we ? feat_data : pcm_data;
  wire [35:0] x_data, y_data;
  wire [31:0] image_word;
  wire [7:0]  image_byte;
  reg  [13:0] row_q;

  nm_wing wing_d (.number(d0[7:0]), .stage(stage), .lower(word[`NM_I_D_MODE] == 2'd2), .addr(d_wing));

  always @* begin
    d_addr = {d0[12:9], d_wing};
    if (d_linear) d_addr = d0;
    else if (word[`NM_I_D_MODE] == 2'd3)
      d_addr[8:0] = {d0[0], d0[1], d0[2], d0[3], d0[4], d0[5], d0[6], d0[7], d0[8]};
  end

  nm_bank bank_x (
      .clk   (clk),
      .we    (from_port || (write && (both || !d_addr[12]))),
      .w_addr(idle ? port_addr[11:0] : d_addr[11:0]),
      .w_data(idle ? {{20{port_data[15]}}, port_data} : result[35:0]),
      .r_en  (en_datapath),
      .r_addr(a_addr[12] ? b1_q[11:0] : a_addr[11:0]),
      .r_data(x_data)
  );
  nm_bank bank_y (
      .clk   (clk),
      .we    (write && (both || d_addr[12])),
      .w_addr(d_addr[11:0]),
      .w_data(result[35:0]),
      .r_en  (en_results),
      .r_addr(idle ? o_addr : a_addr[12] ? a_addr[11:0] : b1_q[11:0]),
      .r_data(y_data)
  );
  nm_image image (
      .clk    (clk),
      .a_en   (en_words),
      .a_addr (b1_q[13:2]),
      .a_data (image_word),
      .b_en   (en_bytes),
      .b_we   (w_en),
      .b_addr (idle || w_en ? w_addr : row_q),
      .b_wdata(w_data),
      .b_data (image_byte)
  );

  assign o_data = y_data[15:0];
  assign w_rdata = image_byte;

  // ---- operands -----------------------------------------------------------------------------------------------
  reg               a_bank2_q, b_bank2_q;
  reg        [1:0]  b_lane2_q;
  reg signed [17:0] rom2_q;
  reg signed [41:0] a3_q;
  reg signed [35:0] b3_q, b4_q, b5_q, b6_q;

  wire [8:0] rom_select = {8'd0, b1_q[8]};
  wire [7:0] lane = image_word[{b_lane2_q, 3'd0}+:8];
  wire [41:0] a_memory = a_bank2_q ? {{6{y_data[35]}}, y_data} : {{6{x_data[35]}}, x_data};
  wire [41:0] a2 = word[`NM_I_A_R] ? result : a_memory;

  always @(posedge clk) begin
    v2_q <= v1_q && !rst;
    first2_q <= first1_q;
    last2_q <= by_mel ? mel[26] : last1_q;
    a_bank2_q <= a_addr[12];
    b_bank2_q <= b1_q[12];
    b_lane2_q <= b1_q[1:0];
    case (b_src)
      `NM_B_WINDOW: rom2_q <= {1'b0, window};
      `NM_B_TWIDDLE: rom2_q <= rom_select[0] ? twiddle[35:18] : twiddle[17:0];
      default: rom2_q <= {1'b0, mel[16:0]};
    endcase

    v3_q <= v2_q && !rst;
    first3_q <= first2_q;
    last3_q <= last2_q;
    if (en_datapath) begin
      a3_q <= a2;
      case (b_src)
        `NM_B_ZERO: b3_q <= 36'd0;
        `NM_B_DATA: b3_q <= b_bank2_q ? y_data : x_data;
        `NM_B_WORD: b3_q <= {{4{image_word[31]}}, image_word};
        `NM_B_BYTE: b3_q <= {{28{lane[7]}}, lane};
        `NM_B_DUP: b3_q <= a2[35:0];
        default: b3_q <= {{18{rom2_q[17]}}, rom2_q};
      endcase
    end
  end

  // ---- shift of this element: immediate, register, row, and what the operands say -----------------------------
  reg  [13:0] shift;
  reg  [5:0]  n4_q, n5_q, n6_q;
  wire        ip_en = word[`NM_I_IP_EN];
  wire        b_en = word[`NM_I_B_EN];
  wire [13:0] exponent = {{2{a3_q[27]}}, a3_q[27:16]};
  wire [13:0] b_shift = {{7{b3_q[6]}}, b3_q[6:0]};

  always @* begin
    shift = {8'd0, word[`NM_I_SHIFT]};
    if (word[`NM_I_SH_EN]) shift = shift + {{7{sh_q[6]}}, sh_q};
    if (word[`NM_I_ROW_EN]) shift = shift + {6'd0, image_byte};
    if (ip_en) shift = shift - exponent;
    if (b_en) shift = ip_en ? shift - b_shift : shift + b_shift;
  end

  always @(posedge clk) begin
    v4_q <= v3_q && !rst;
    v5_q <= v4_q && !rst;
    v6_q <= v5_q && !rst;
    last4_q <= last3_q;
    last5_q <= last4_q;
    last6_q <= last5_q;
    b4_q <= b3_q;
    b5_q <= b4_q;
    b6_q <= b5_q;
    if (en_datapath) n4_q <= shift[13] ? 6'd0 : shift[12:6] != 7'd0 ? 6'd63 : shift[5:0];
    n5_q <= n4_q;
    n6_q <= n5_q;
    if (load) row_q <= next_word[`NM_I_AUX];
    else if (v3_q && last3_q) row_q <= row_q + 14'd1;
  end

  // ---- function, arithmetic -----------------------------------------------------------------------------------
  wire signed [41:0] f;

  nm_func func_unit (.clk(clk), .en(en_datapath), .func(word[`NM_I_FUNC]), .first(first3_q), .x(a3_q), .y(f));

  nm_mac mac (
      .clk    (clk),
      .rst    (rst),
      .valid  (v6_q),
      .last   (last6_q),
      .f      (f),
      .b      (b6_q),
      .shift  (n6_q),
      .alu    (word[`NM_I_ALU]),
      .swap   (word[`NM_I_SWAP]),
      .acc_neg(word[`NM_I_ACC_NEG]),
      .acc_max(word[`NM_I_ACC_MAX]),
      .sat    (word[`NM_I_SAT]),
      .busy   (mac_busy),
      .done   (done),
      .result (result)
  );

  // ---- registers that results go to ---------------------------------------------------------------------------
  always @(posedge clk) begin
    if (done && word[`NM_I_SH_WE]) sh_q <= result[6:0];
    if (done && word[`NM_I_PTR_WE]) ptr_q <= result[12:0];
    if (done && word[`NM_I_SET_FLAG]) flag_q <= result[41];
  end

  wire unused = &{1'b0, rom_select[8:1], a0[12:9], d0[12:9], word[`NM_I_STOP], word[`NM_I_COND], word[`NM_I_INNER],
                  word[`NM_I_OUTER], word[`NM_I_EACH], pc, port_addr[12], next_word, word, aux[13:4]};

endmodule

`default_nettype wire
