"""KWScope's computing core: networks, stream engines, audio, training. Imports no Qt.

Torch is imported only when a torch network is asked for, so that the window and the stream engines start fast.
"""

from kwscore.constants import LABELS

__version__ = "0.1.0"
__all__ = ["LABELS", "__version__"]
