from __future__ import annotations

from tests.experiment.fakes import toys

__all__ = ["toys"]
