"""What a recording says about the things that made it: engine, detector, noise, source, versions."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any

from numpy.typing import NDArray

from kwscore.audio.source import Source
from kwscore.errors import KWScopeError
from kwscore.stream.detection import Detector
from kwscore.stream.telemetry import Engine

_KINDS = {"StreamEngine": "float", "FixedEngine": "integer", "BoardEngine": "board", "WindowEngine": "window"}
_PACKAGES = ("numpy", "numba", "torch", "soundfile", "sounddevice", "PySide6-Essentials")
_ENGINE, _DETECTOR = "engine.", "detector."
Arrays = dict[str, NDArray[Any]]


def engine_kind(engine: Engine) -> str:
    """``float``, ``integer``, ``board``, ``window``, or the name of the class of another engine."""
    made_of = getattr(engine, "engine", engine)  # one that answers later (a board's) is around another
    return _KINDS.get(type(made_of).__name__, type(made_of).__name__)


def describe_engine(engine: Engine) -> dict[str, Any]:
    """Everything that tells one engine from another, as plain values."""
    return {
        "kind": engine_kind(engine),
        "name": engine.name,
        "hash": engine.model_hash,
        "experts": list(engine.expert_names),
        "blocks": engine.blocks,
        "channels": engine.channels,
    }


def describe_source(source: Source) -> dict[str, Any]:
    """Name, kind and native rate; for a microphone the device as the system calls it."""
    return {"name": source.name, "kind": type(source).__name__, "native_rate": source.status().native_rate}


def describe_mixer(mixer: Any) -> dict[str, Any] | None:
    """Noise, SNR and reference of a mixer that adds noise now; None without one, or where it adds none."""
    noise = getattr(mixer, "noise", None)
    if noise is None:
        return None
    reference = getattr(mixer, "reference", None)
    return {
        "noise": str(getattr(noise, "name", noise)),
        "snr_db": float(getattr(mixer, "snr_db", 0.0)),
        "reference": reference if isinstance(reference, str) or reference is None else float(reference),
    }


def versions() -> dict[str, str]:
    """Of KWScope, of what computes, and of the machine; ``kernels``: the hash over the compiled engine's sources."""
    from kwscore import __version__

    found = {"kwscope": __version__, "python": platform.python_version(), "system": platform.platform()}
    found["processor"] = platform.machine()
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if "kwscore.stream.jit" in sys.modules:
        from kwscore.stream.jit import source_hash

        found["kernels"] = source_hash()
    return found


def take_state(engine: Engine, detector: Detector) -> Arrays:
    """What both remember, as arrays by name; of an engine that cannot tell (a board), only the detector's."""
    found = {_DETECTOR + name: array for name, array in detector.state.items()}
    state: Any = getattr(engine, "state", None)
    if hasattr(state, "_asdict"):
        found |= {_ENGINE + name: array for name, array in state._asdict().items()}
    return found


def has_engine(state: Arrays) -> bool:
    """Whether the state holds an engine's memory."""
    return any(name.startswith(_ENGINE) for name in state)


def give_state(state: Arrays, engine: Any = None, detector: Detector | None = None) -> None:
    """Have ``engine`` and ``detector`` go on from a state. Raises KWScopeError where it is not one of theirs."""
    if engine is not None:
        fields = {name.removeprefix(_ENGINE): array for name, array in state.items() if name.startswith(_ENGINE)}
        own: Any = getattr(engine, "state", None)
        if not hasattr(own, "_fields") or set(own._fields) != set(fields):
            raise KWScopeError(f"What {engine.name} remembered was stored by another version and cannot be used.")
        engine.state = type(own)(**fields)
    if detector is not None:
        detector.state = {
            name.removeprefix(_DETECTOR): array for name, array in state.items() if name.startswith(_DETECTOR)
        }
