"""What an experiment does, as a file says it (TOML or JSON), checked field by field."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.recordings import SUFFIXES
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK
from kwscore.stream.detection import DetectionSettings

RECORDED = "recorded "
BOARD = "board:"
MODES = ("reset", "stream")
SPLITS = ("auto", "test", "validation")
MIXES = ("balanced", "published")
LIMIT_DB = 60.0
DEFAULT_SNRS = (-5.0, 0.0, 5.0, 10.0, 15.0)
Mode = Literal["reset", "stream"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the clips come from. ``kind``: playlist, folder or speech_commands; ``where``: "demo", or a path.

    ``clips``       a random subset of about so many (None: all), every class in its share.
    ``clean_only``  of a playlist: leave out the items that have noise already.
    ``split``, ``mix``, ``extra_dir``  of Speech Commands, as ``kwscope evaluate`` takes them.
    """

    kind: str = "playlist"
    where: str = "demo"
    clips: int | None = None
    clean_only: bool = True
    split: str = "auto"
    mix: str = "balanced"
    extra_dir: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One experiment: every network on every engine in every noise at every SNR with every seed.

    ``noises``      published names, "recorded KIND" (a kind of recordings), or the path of a recording.
    ``snrs``        dB. ``clean``: also without noise.
    ``networks``    shipped names, paths of checkpoints, or NAME=FILE.pt for published weights.
    ``engines``     float, integer, board:sim, board:rtl (virtual boards), or board:PORT.
    ``mode``        reset: clip by clip, each from reset, SNR over the clip's own second, as ``kwscope evaluate`` mixes.
                    stream: one endless stream, mixed as live sound is, SNR over the active speech level.
    ``reference``   of a stream: "whole" (the level of the whole stream), "speech" (followed, as live), or dBFS.
    ``gap_s``       of a stream of clips: seconds of silence before each clip.
    ``recordings``  folder of noise recordings; its sub-folders are the kinds.
    ``detection``   settings of the detector; None counts no detections.
    ``base``        folder that paths in the plan are relative to.
    """

    title: str = ""
    source: Source = field(default_factory=Source)
    noises: tuple[str, ...] = PUBLISHED_NOISES
    snrs: tuple[float, ...] = DEFAULT_SNRS
    clean: bool = True
    seeds: tuple[int, ...] = (2026,)
    networks: tuple[str, ...] = (DEFAULT_NETWORK,)
    engines: tuple[str, ...] = ("float",)
    mode: Mode = "reset"
    reference: str | float = "whole"
    gap_s: float = 0.0
    recordings: str | None = None
    detection: DetectionSettings | None = field(default_factory=DetectionSettings)
    base: Path = Path()

    @property
    def conditions(self) -> int:
        """Noises times SNRs, and clean."""
        return len(self.noises) * len(self.snrs) + self.clean

    def path(self, text: str) -> Path:
        """A path of the plan as one that can be opened."""
        return self.base / Path(text).expanduser()

    def absolute(self) -> Plan:
        """The same plan with whole paths, which means the same wherever it is written to."""
        source = self.source
        if (source.kind, source.where) != ("playlist", "demo"):
            source = replace(source, where=self._whole(source.where))
        if source.extra_dir:
            source = replace(source, extra_dir=self._whole(source.extra_dir))
        return replace(
            self,
            source=source,
            noises=tuple(n if noise_label(n) == n else self._whole(n) for n in self.noises),
            networks=tuple(self._network(spec) for spec in self.networks),
            recordings=self._whole(self.recordings) if self.recordings else None,
            base=Path(),
        )

    def _whole(self, text: str) -> str:
        return str(self.path(text).resolve())

    def _network(self, spec: str) -> str:
        name, equals, file = spec.partition("=")
        if equals:
            return f"{name}={self._whole(file)}"
        return self._whole(spec) if is_path(spec) else spec

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a file holds them; ``parse_plan`` reads them."""
        source = self.source
        about: dict[str, Any] = {source.kind: source.where}
        if source.clips is not None:
            about["clips"] = source.clips
        if source.kind == "playlist":
            about["clean_only"] = source.clean_only
        if source.kind == "speech_commands":
            about |= {"split": source.split, "mix": source.mix}
            about |= {"extra_dir": source.extra_dir} if source.extra_dir else {}
        out: dict[str, Any] = {
            "title": self.title,
            "networks": list(self.networks),
            "engines": list(self.engines),
            "noises": list(self.noises),
            "snrs": list(self.snrs),
            "clean": self.clean,
            "seeds": list(self.seeds),
            "mode": self.mode,
        }
        if self.mode == "stream":
            out |= {"reference": self.reference, "gap_s": self.gap_s}
        if self.recordings is not None:
            out["recordings"] = self.recordings
        detection: Any = False if self.detection is None else self.detection.to_dict()
        return out | {"source": about, "detection": detection}


def load_plan(path: str | Path) -> Plan:
    """Read a plan, TOML or (by its suffix .json) JSON. Raises KWScopeError naming the file and the field."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KWScopeError(
            f"There is no experiment {path}: write one with 'kwscope experiment new {path}', then edit it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise KWScopeError(f"The experiment {path} cannot be read ({reason}): check the file.") from None
    is_json = path.suffix.lower() == ".json"
    try:
        content = json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if is_json else "TOML"
        raise KWScopeError(f"The experiment {path} is not valid {kind} ({error}): correct it.") from None
    return parse_plan(content, str(path), path.parent)


def parse_plan(content: Any, name: str = "The experiment", base: Path = Path()) -> Plan:
    """A plan from plain values. ``name`` stands for the file in sentences; keys that begin with "#" are comments.

    Files and folders are not looked for here. Raises KWScopeError naming the field.
    """
    read = _Reader(name, "", _table(content, name, "the file"))
    source = _source(read)
    detection = _detection(read)
    mode = read.one_of("mode", "reset", MODES)
    plan = Plan(
        title=read.get("title", "", str, "a text"),
        source=source,
        noises=tuple(read.texts("noises", PUBLISHED_NOISES)),
        snrs=tuple(read.numbers("snrs", DEFAULT_SNRS, -LIMIT_DB, LIMIT_DB)),
        clean=read.get("clean", True, bool, "true or false"),
        seeds=tuple(read.whole_numbers("seeds", (2026,))),
        networks=tuple(read.texts("networks", (DEFAULT_NETWORK,))),
        engines=tuple(read.texts("engines", ("float",))),
        mode="stream" if mode == "stream" else "reset",
        reference=_reference(read),
        gap_s=read.number("gap_s", 0.0, 0.0, 10.0),
        recordings=read.get("recordings", None, str, "the path of a folder"),
        detection=detection,
        base=base,
    )
    read.nothing_else()
    return check_plan(plan, name)


def check_plan(plan: Plan, name: str = "The experiment") -> Plan:
    """``plan`` with duplicates gone, or KWScopeError naming the field that makes no sense."""
    plan = replace(
        plan,
        noises=_once(plan.noises),
        snrs=tuple(sorted(set(plan.snrs))),
        seeds=_once(plan.seeds),
        networks=_once(plan.networks),
        engines=_once(plan.engines),
    )
    for what in ("networks", "engines", "seeds"):
        if not getattr(plan, what):
            raise KWScopeError(f"{name}: {what!r} is empty: name at least one.")
    if not plan.conditions:
        raise KWScopeError(f"{name}: there is no condition: set 'clean' to true, or name 'noises' and 'snrs'.")
    if bool(plan.noises) != bool(plan.snrs):
        empty = "snrs" if plan.noises else "noises"
        raise KWScopeError(f"{name}: {empty!r} is empty: fill it, or empty both for clean alone.")
    for noise in plan.noises:
        _check_noise(plan, name, noise)
    for engine in plan.engines:
        if engine not in ("float", "integer") and not (engine.startswith(BOARD) and engine != BOARD):
            raise KWScopeError(
                f"{name}: 'engines' has {engine!r}: use float, integer, board:sim, board:rtl, or board: and a port, "
                "for instance board:/dev/ttyUSB1."
            )
    if plan.source.clips is not None and plan.source.clips < 12:
        raise KWScopeError(f"{name}: 'source.clips' is {plan.source.clips}: a subset needs at least 12 clips.")
    if plan.mode == "stream" and plan.source.kind == "playlist" and plan.source.clips is not None:
        raise KWScopeError(
            f"{name}: 'source.clips' would tear the playlist's stream apart: leave it out, or set 'mode' to reset."
        )
    if plan.mode == "stream" and plan.source.mix == "published":
        raise KWScopeError(
            f"{name}: 'source.mix' is published, whose mixtures exceed 16 bits: a stream needs 'balanced'."
        )
    return plan


def _check_noise(plan: Plan, name: str, noise: str) -> None:
    if noise in PUBLISHED_NOISES or (noise.startswith(RECORDED) and noise != RECORDED):
        return
    if Path(noise).suffix.lower() in SUFFIXES:
        others = [n for n in plan.noises if n != noise and noise_label(n) == noise_label(noise)]
        if others:
            raise KWScopeError(
                f"{name}: 'noises' has {noise!r} and {others[0]!r}, which tables could not tell apart: rename one file."
            )
        return
    near = difflib.get_close_matches(noise, PUBLISHED_NOISES, 1)
    hint = f" (do you mean {near[0]!r}?)" if near else ""
    raise KWScopeError(
        f"{name}: 'noises' has {noise!r}{hint}: use one of {', '.join(PUBLISHED_NOISES)}, '{RECORDED}KIND', or the "
        f"path of a recording ({', '.join(SUFFIXES)})."
    )


def noise_label(noise: str) -> str:
    """The name of a noise in conditions and tables: that of a file is "recorded" and its name without suffix."""
    if noise in PUBLISHED_NOISES or noise.startswith(RECORDED):
        return noise
    return RECORDED + Path(noise).stem


def is_path(spec: str) -> bool:
    """Whether a network is named by a file."""
    return len(Path(spec).parts) > 1 or bool(Path(spec).suffix)


# reading -------------------------------------------------------------------------------------------------------------
class _Reader:
    """Takes the fields of one table out of it, each checked."""

    def __init__(self, name: str, prefix: str, table: Mapping[str, Any]) -> None:
        self.name, self.prefix, self.table = name, prefix, table
        self.known: set[str] = set()

    def fail(self, key: str, value: Any, wanted: str) -> KWScopeError:
        return KWScopeError(f"{self.name}: {self.prefix + key!r} is {value!r}: give {wanted}.")

    def get(self, key: str, default: Any, kind: type, wanted: str) -> Any:
        self.known.add(key)
        value = self.table.get(key, default)
        if value is not default and not isinstance(value, kind):
            raise self.fail(key, value, wanted)
        return value

    def one_of(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.get(key, default, str, " or ".join(choices))
        if value not in choices:
            raise self.fail(key, value, " or ".join(choices))
        return str(value)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        self.known.add(key)
        value = self.table.get(key, default)
        if not _is_number(value) or not low <= value <= high:
            raise self.fail(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def texts(self, key: str, default: tuple[str, ...]) -> list[str]:
        return self._list(key, default, lambda v: isinstance(v, str) and bool(v.strip()), "texts")

    def numbers(self, key: str, default: tuple[float, ...], low: float, high: float) -> list[float]:
        found = self._list(
            key, default, lambda v: _is_number(v) and low <= v <= high, f"numbers from {low:g} to {high:g}"
        )
        return [float(v) for v in found]

    def whole_numbers(self, key: str, default: tuple[int, ...]) -> list[int]:
        return self._list(
            key, default, lambda v: type(v) is int and 0 <= v < 2**63, "whole numbers that are not negative"
        )

    def _list(self, key: str, default: tuple[Any, ...], fits: Callable[[Any], bool], wanted: str) -> list[Any]:
        self.known.add(key)
        value = self.table.get(key, default)
        if not isinstance(value, list | tuple):
            raise self.fail(key, value, f"a list of {wanted}")
        for entry in value:
            if not fits(entry):
                raise KWScopeError(
                    f"{self.name}: {self.prefix + key!r} has the entry {entry!r}: give a list of {wanted}."
                )
        return list(value)

    def nothing_else(self) -> None:
        for key in self.table:
            if key not in self.known and not key.startswith("#"):
                near = difflib.get_close_matches(key, self.known, 1)
                hint = f"do you mean {self.prefix + near[0]!r}?" if near else f"use {', '.join(sorted(self.known))}."
                raise KWScopeError(f"{self.name}: there is no field {self.prefix + key!r}: {hint}")


def _table(value: Any, name: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise KWScopeError(f"{name}: {what} is {value!r}: give a table of names and values.")
    return value


def _source(read: _Reader) -> Source:
    read.known.add("source")
    table = _table(read.table.get("source", {"playlist": "demo"}), read.name, "'source'")
    kinds = [kind for kind in ("playlist", "folder", "speech_commands") if kind in table]
    if len(kinds) != 1:
        raise KWScopeError(
            f"{read.name}: 'source' names {' and '.join(kinds) or 'nothing to play'}: give one of playlist, folder or "
            "speech_commands."
        )
    kind, inner = kinds[0], _Reader(read.name, "source.", table)
    where = inner.get(kind, None, str, "a path" + (" or demo" if kind == "playlist" else ""))
    if not where:
        raise inner.fail(kind, where, "a path")
    clips = inner.get("clips", None, int, "a whole number")
    given: dict[str, Any] = {"kind": kind, "where": where, "clips": clips if type(clips) is int else None}
    if clips is not None and type(clips) is not int:
        raise inner.fail("clips", clips, "a whole number")
    if kind == "playlist":
        given["clean_only"] = inner.get("clean_only", True, bool, "true or false")
    if kind == "speech_commands":
        given["split"] = inner.one_of("split", "auto", SPLITS)
        given["mix"] = inner.one_of("mix", "balanced", MIXES)
        given["extra_dir"] = inner.get("extra_dir", None, str, "the path of a folder")
    inner.nothing_else()
    return Source(**given)


def _detection(read: _Reader) -> DetectionSettings | None:
    read.known.add("detection")
    value = read.table.get("detection", {})
    if value is False:
        return None
    table = {k: v for k, v in _table(value, read.name, "'detection'").items() if not k.startswith("#")}
    if not isinstance(table.get("word_thresholds", {}), Mapping):
        raise read.fail("detection.word_thresholds", table["word_thresholds"], "a table of words and levels")
    known = [f.name for f in fields(DetectionSettings)]
    for key in table:
        if key not in known:
            raise KWScopeError(f"{read.name}: there is no field 'detection.{key}': use {', '.join(known)}.")
    try:
        return DetectionSettings.from_dict(table)
    except KWScopeError as error:
        raise KWScopeError(f"{read.name}: 'detection': {error}") from None


def _reference(read: _Reader) -> str | float:
    read.known.add("reference")
    value = read.table.get("reference", "whole")
    if value in ("whole", "speech"):
        return str(value)
    if _is_number(value) and -90.0 <= value <= 0.0:
        return float(value)
    raise read.fail("reference", value, "whole, speech, or a level from -90 to 0 dBFS")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))
