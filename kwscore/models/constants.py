"""Constants of the networks' front end (torch-free)."""

ANCHOR_FRAMES = 5
"""Frames averaged for the noise anchor."""
ANCHOR_BLOCK = 75
"""Frames of one block of minimum statistics (0.75 s)."""
ANCHOR_MIN = 1e-5
"""Smallest anchor, so that digital silence divides by something."""
ANCHOR_SHARE = 0.5
"""Share of the anchor below which the running floor never falls."""
SNR_GAIN = 0.1
"""Scale of the mel-weighted magnitude-to-floor ratio before tanh."""
SNR_EPS = 1e-8
PCEN_EPS = 1e-6
LOG_EPS = 1e-8
NORM_EPS = 1e-5
SMOOTH_FRAMES = 7
"""Frames of the smoothing in version 2 of the routing."""
KAPPA_START = 0.5
"""Corpus mean of the band-mean SNR before training knows better."""
