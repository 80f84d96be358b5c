"""Numbers that every part shares: sample rate, framing, bands, class order."""

SAMPLE_RATE = 16_000
"""Samples per second of everything the networks hear."""
HOP = 160
"""Samples per hop, 10 ms."""
WINDOW = 512
"""Samples per frame (periodic Hann) and FFT length."""
N_FREQ = WINDOW // 2 + 1
N_MELS = 40
CLIP_SAMPLES = SAMPLE_RATE
"""Samples of a Speech Commands clip, 1 s."""
CLIP_FRAMES = (CLIP_SAMPLES - WINDOW) // HOP + 1
"""Frames of a 1 s clip in the stream schedule: 97."""
NOMINAL_SPEECH_DBFS = -25.0
"""Median active level of Speech Commands; assumed where no speech has been heard."""

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
LABELS = (*WORDS, "silence", "unknown")
"""Class order of the logits."""
SILENCE = LABELS.index("silence")
UNKNOWN = LABELS.index("unknown")
N_CLASSES = len(LABELS)
