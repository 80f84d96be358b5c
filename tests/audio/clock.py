"""A clock that tests turn by hand."""

from __future__ import annotations


class FakeClock:
    """Time that passes only by ``sleep`` or ``advance``."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.slept += seconds

    def advance(self, seconds: float) -> None:
        self.now += seconds
