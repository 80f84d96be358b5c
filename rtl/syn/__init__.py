"""Synthesis reports of the core."""
