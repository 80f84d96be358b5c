"""Hearing a session again: with the same engine, bit for bit the same; or with any other, to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import LABELS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.session.codec import Frames
from kwscore.session.facts import Arrays, describe_engine, give_state, has_engine
from kwscore.session.reader import Segment, Session
from kwscore.session.tap import shifted
from kwscore.stream.detection import DetectionSettings, Detector, Event
from kwscore.stream.telemetry import Engine, Telemetry

PIECE = SAMPLE_RATE
WARM = 4 * SAMPLE_RATE
"""Samples that an engine without the recorded past hears before it is compared: its longest memory."""
Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of ``verify``. ``frames`` compared, all equal up to the first difference; ``difference``: one sentence
    that names the first differing frame and field, else empty. ``unchecked``: frames without what they began from (a
    board's, or those of another engine). ``events``: whether detections are equal too."""

    frames: int
    unchecked: int
    difference: str
    events: bool

    @property
    def equal(self) -> bool:
        """Whether there was something to compare and all of it was equal."""
        return self.frames > 0 and not self.difference


@dataclass(slots=True)
class Comparison:
    """Another engine over the same samples. ``frames`` compared; ``same_class``: in how many the likeliest class is
    the same; ``largest``, ``mean``: of the absolute logit differences; ``largest_at``: session sample of the largest.
    ``margin``: difference of the two highest recorded logits where the classes differ, at most. ``matched``: detections
    that both have within half a second; ``only_recorded``, ``only_new``: those that one has."""

    engine: dict[str, Any]
    frames: int = 0
    same_class: int = 0
    largest: float = 0.0
    largest_at: int = 0
    mean: float = 0.0
    margin: float = 0.0
    matched: int = 0
    only_recorded: list[Event] = field(default_factory=list)
    only_new: list[Event] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        """Share of frames with the same likeliest class; NaN without frames."""
        return self.same_class / self.frames if self.frames else float("nan")


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a replay of a segment can begin: at session sample ``position``, with ``state``, or new (None)."""

    position: int
    state: Arrays | None


def load_recorded_engine(session: Session) -> Engine:
    """The engine that made the session, where its network comes with KWScope. Raises KWScopeError where not."""
    if not session.segments:
        raise KWScopeError(f"{session.path} holds no sound: nothing can be replayed.")
    made = session.segments[0].engine
    what = f"{session.path.name} was made with {made['name']} ({made['hash']}, {made['kind']})"
    if made["kind"] not in ("float", "integer", "window"):
        raise KWScopeError(f"{what}, which cannot be had again: give a network with --model to compare with.")
    try:
        engine = load_engine(made["name"], made["kind"])
    except KWScopeError as error:
        raise KWScopeError(f"{what}, which does not come with KWScope: give its file with --model.") from error
    if engine.model_hash != made["hash"]:
        raise KWScopeError(f"{what}, but the weights here are {engine.model_hash}: give its file with --model.")
    return engine


def load_engine(model: str, kind: str = "float") -> Engine:
    """The engine of a network by name or path; ``kind``: float, integer or window."""
    if kind == "integer":
        from kwscore.fixed.engine import FixedEngine

        return FixedEngine.load(model)
    from kwscore.stream.choose import load_engine as load

    return load(model)


def _silent(_: int) -> None:
    """Nobody wants to know how far it is."""


def verify(session: Session, engine: Engine | None = None, progress: Report = _silent) -> Verdict:
    """Run the engine that made the session over its sound and compare every bit of every frame, but the time taken.

    ``engine``: the same network in the same kind of engine; None: loaded by its name. Segments of other engines, and
    those whose beginning is not known, are counted as unchecked. Raises KWScopeError for an engine that made none of
    it, or for a session of which only parts were kept.
    """
    _whole(session, "verified")
    engine = engine or load_recorded_engine(session)
    with _calibration_kept(engine):
        return _verify(session, engine, progress)


def _verify(session: Session, engine: Engine, progress: Report) -> Verdict:
    mine = describe_engine(engine)
    if all(_differs(segment.engine, mine) for segment in session.segments):
        made = session.segments[0].engine
        raise KWScopeError(
            f"{session.path.name} was made with {made['name']} ({made['hash']}, {made['kind']}), not with "
            f"{mine['name']} ({mine['hash']}, {mine['kind']}): replay it to compare the two."
        )
    equal = unchecked = 0
    events: list[Event] = []
    expected: list[Event] = []
    for segment in session.segments:
        start = None if _differs(segment.engine, mine) else _beginning(session, segment)
        recorded = _rows(session, segment)
        unchecked += _count(session, segment)
        if start is None:
            continue
        played = _play(session, segment, start, engine, events)
        for block, found in _aligned(recorded, played):
            progress(int(block.position[-1]))
            row, name = _first_difference(block, found)
            if name:
                at = block.position[row] / SAMPLE_RATE
                sentence = (
                    f"Frame {int(block.frame[row])} at {at:.2f} s differs in {name}: the replay is not what was "
                    f"recorded{_other_versions(session)}."
                )
                return Verdict(equal + row, unchecked - row, sentence, False)
            equal += len(block)
            unchecked -= len(block)
        begin = max(start.position, segment.start)
        expected += [event for event in session.events if begin <= event.decided < segment.end]
    same = _keys(expected) == _keys(events)
    sentence = "" if same else "Every frame is equal, but the detections differ: they were made with other settings."
    return Verdict(equal, unchecked, sentence, same)


def compare(session: Session, engine: Engine, progress: Report = _silent) -> Comparison:
    """Run any engine over a session's sound, from reset where the recorded one was, with the recorded settings."""
    _whole(session, "compared")
    with _calibration_kept(engine):
        return _compare(session, engine, progress)


def _compare(session: Session, engine: Engine, progress: Report) -> Comparison:
    result = Comparison(describe_engine(engine))
    found: list[Event] = []
    total = 0.0
    for segment in session.segments:
        known = _beginning(session, segment)
        start = known if known is not None and known.state is None else _Start(segment.start, None)
        begin = segment.start if start is known else segment.start + WARM
        played = _play(session, segment, start, engine, found)
        for block, new in _aligned(_rows(session, segment), played, by_position=True):
            late = block.position >= begin
            mine, other = block.logits[late], new.logits[late]
            if not len(mine):
                continue
            difference = np.abs(mine.astype(np.float64) - other)
            progress(int(block.position[-1]))
            result.frames += len(mine)
            same = mine.argmax(1) == other.argmax(1)
            result.same_class += int(same.sum())
            total += float(difference.mean(1).sum())
            if difference.max() > result.largest:
                result.largest = float(difference.max())
                result.largest_at = int(block.position[late][difference.max(1).argmax()])
            ordered = np.sort(mine[~same], axis=1)
            if len(ordered):
                result.margin = max(result.margin, float((ordered[:, -1] - ordered[:, -2]).max()))
    result.mean = total / result.frames if result.frames else 0.0
    _match(session.events, found, result)
    return result


@contextmanager
def _calibration_kept(engine: Any) -> Iterator[None]:
    """Afterwards the engine has the constants that it had before."""
    own = getattr(engine, "calibration", None)
    try:
        yield
    finally:
        if own is not None and not np.array_equal(own, engine.calibration):
            engine.calibration = own


def _whole(session: Session, what: str) -> None:
    if session.spans:
        raise KWScopeError(f"{session.path.name} kept only what lies around words: it cannot be {what}.")


def _differs(recorded: dict[str, Any], mine: dict[str, Any]) -> bool:
    return any(recorded.get(key) != mine[key] for key in ("kind", "name", "hash"))


def _beginning(session: Session, segment: Segment) -> _Start | None:
    """The earliest place from which a segment can be played as it was."""
    if segment.origin >= 0:
        return _Start(segment.origin, None)
    for position, origin, arrays in session.states():
        if origin == segment.origin and segment.start <= position < segment.end and has_engine(arrays):
            return _Start(position, arrays)
    return None


def _rows(session: Session, segment: Segment) -> Iterator[Frames]:
    """The recorded frames of a segment, without those that a board's standby computed."""
    for block in session.frames(segment.start, segment.end):
        mine = (block.origin == segment.origin) & (block.columns["stood_in"] == 0)
        if mine.any():
            yield block[mine]


def _count(session: Session, segment: Segment) -> int:
    return sum(int((block.origin == segment.origin).sum()) for block in session.frames(segment.start, segment.end))


def _play(
    session: Session, segment: Segment, start: _Start, engine: Engine, events: list[Event]
) -> Iterator[tuple[list[Telemetry], NDArray[np.float32], int]]:
    """(telemetry, posteriors, origin) of the engine over a segment; detections are added to ``events``."""
    settings = [(change.position, DetectionSettings.from_dict(change.to)) for change in session.detection]
    detector = Detector(_at(settings, segment.start))
    engine.reset()
    constants = _calibrations(session, segment, engine)
    begin = max(segment.start, start.position)
    held = [values for position, values in constants if position <= begin]
    if held:  # the newest ones only: those before them may be of another network
        engine.calibration = held[-1]  # type: ignore[attr-defined]
    if start.state is not None:
        give_state(start.state, engine, detector)
    resets = [c.position for c in session.changes if c.what == "detector" and segment.start < c.position < segment.end]
    origin = segment.origin if start.state is not None else start.position
    changed = {position: values for position, values in constants if begin < position < segment.end}
    cuts = sorted({*range(start.position, segment.end, PIECE), *changed, segment.end})
    for at, end in pairwise(cuts):
        if at in changed:
            engine.calibration = changed[at]  # type: ignore[attr-defined]
        records = engine.process(session.audio(at, end))
        rows = np.empty((len(records), len(LABELS)), np.float32)
        for i, record in enumerate(records):
            ended = record.sample + origin
            wanted = _at(settings, ended)
            if wanted is not detector.settings:
                detector.settings = wanted
            while resets and ended >= resets[0]:
                detector.reset()
                del resets[0]
            event = detector.update(record)
            rows[i] = detector.posterior
            if event is not None:
                events.append(shifted(event, origin))
        if records:
            yield records, rows, origin


def _calibrations(session: Session, segment: Segment, engine: Engine) -> list[tuple[int, NDArray[np.float32]]]:
    """Since when the engine of a segment had which constants; nothing for another engine, or without any."""
    if not hasattr(engine, "calibration") or _differs(segment.engine, describe_engine(engine)):
        return []
    changes = [change for change in session.changes if change.what == "calibration" and change.to is not None]
    return [(change.position, np.array(change.to, np.float32)) for change in changes]


def _at(settings: list[tuple[int, DetectionSettings]], position: int) -> DetectionSettings:
    """What held for a frame that ended at ``position``."""
    held = settings[0][1] if settings else DetectionSettings()
    for since, value in settings:
        if since <= position:
            held = value
    return held


def _aligned(
    recorded: Iterator[Frames],
    played: Iterator[tuple[list[Telemetry], NDArray[np.float32], int]],
    by_position: bool = False,
) -> Iterator[tuple[Frames, Frames]]:
    """Recorded blocks beside the same frames as played; frames that only one of them has are left out."""
    waiting: dict[int, tuple[Telemetry, NDArray[np.float32], int]] = {}
    for block in recorded:
        wanted = (block.position if by_position else block.frame).tolist()
        while wanted[-1] not in waiting:
            following = next(played, None)
            if following is None:
                break
            records, rows, origin = following
            for record, row in zip(records, rows, strict=True):
                waiting[record.sample + origin if by_position else record.frame] = (record, row, origin)
        there = [i for i, key in enumerate(wanted) if key in waiting]
        if there:
            found = [waiting.pop(wanted[i]) for i in there]
            new = Frames.of(
                [record for record, _, _ in found],
                np.stack([row for _, row, _ in found]),
                found[0][2],
                (),
                block.covers,
            )
            for key in [key for key in waiting if key < wanted[there[0]]]:
                del waiting[key]
            yield block[np.array(there)], new
    for _ in played:  # to the end, for its detections
        pass


def _first_difference(recorded: Frames, new: Frames) -> tuple[int, str]:
    """Row and field of the first bit that differs; an empty field where none does."""
    first, name = len(recorded), ""
    for key in sorted(recorded.columns, key=lambda name: name == "rest"):  # last: it differs with any of the others
        if key in ("elapsed_us", "stood_in"):
            continue
        a, b = np.ascontiguousarray(recorded.columns[key]), np.ascontiguousarray(new.columns[key])
        if a.shape != b.shape:
            return 0, key
        if not a.size:
            continue
        unequal = (a.reshape(len(a), -1).view(np.uint8) != b.reshape(len(b), -1).view(np.uint8)).any(1)
        if unequal.any() and int(unequal.argmax()) < first:
            first, name = int(unequal.argmax()), key
    return first, {"rest": " or ".join(recorded.covers)}.get(name, name) if not recorded.details else name


def _other_versions(session: Session) -> str:
    """What is not as it was when the session was recorded, in brackets."""
    from kwscore.session.facts import versions

    then, now = session.header.get("versions", {}), versions()
    changed = [f"{key} {then[key]} then, {now[key]} now" for key in then if key in now and now[key] != then[key]]
    return f" ({'; '.join(changed)})" if changed else ""


def _keys(events: list[Event]) -> list[tuple[str, int, int, int, float]]:
    return [(event.word, event.start, event.peak, event.decided, event.score) for event in events]


def _match(recorded: list[Event], found: list[Event], result: Comparison) -> None:
    free = list(found)
    for event in recorded:
        near = [new for new in free if new.word == event.word and abs(new.decided - event.decided) <= SAMPLE_RATE // 2]
        if near:
            result.matched += 1
            free.remove(min(near, key=lambda new: abs(new.decided - event.decided)))
        else:
            result.only_recorded.append(event)
    result.only_new = free
