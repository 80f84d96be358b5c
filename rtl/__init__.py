"""The board's logic in Verilog, with the tools that generate, simulate and measure it."""
