"""Assembler, reference model and generator of the core's microcode."""
