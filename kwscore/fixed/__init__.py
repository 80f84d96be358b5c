"""The integer engine: the exact definition of what the FPGA computes (docs/fixed_point.md).

Import ``FixedEngine`` from ``kwscore.fixed.engine``, ``Image`` from ``kwscore.fixed.image`` and ``quantise`` from
``kwscore.fixed.calibrate``: importing this package compiles nothing.
"""
