"""Verilated simulations of the core."""
