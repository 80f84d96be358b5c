// SPDX-License-Identifier: MIT
// Power through clock enables: which memories may work in this cycle. While no frame is computed the datapath stands
// still, memories included, but for what samples, results and the link need. `run`: a program is running.
`default_nettype none

module nm_power (
    input  wire run,
    input  wire sending,     // results are read
    input  wire link_write,  // the link writes a weight
    input  wire link_read,   // the link reads one
    output wire en_datapath, // operands, table unit, read-only memories, and bank X's reads
    output wire en_results,  // bank Y's reads
    output wire en_words,    // image: words, port A
    output wire en_bytes     // image: bytes, port B
);

  assign en_datapath = run;
  assign en_results = run || sending;
  assign en_words = run;
  assign en_bytes = run || link_write || link_read;

endmodule

`default_nettype wire
