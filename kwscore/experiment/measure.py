"""One unit of an experiment: one network on one engine in one condition with one seed, clip by clip or as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import active_speech_dbfs
from kwscore.audio.mixing import StreamingMixer
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.recordings import NoiseStream, RecordedNoise
from kwscore.constants import CLIP_SAMPLES, HOP, N_CLASSES, SAMPLE_RATE, WINDOW, WORDS
from kwscore.data.augment import to_pcm
from kwscore.errors import KWScopeError
from kwscore.evaluation.events import Detection, EventScore, Utterance, score_events
from kwscore.evaluation.noisy import Condition, streams
from kwscore.experiment.engines import Network
from kwscore.experiment.material import Speech
from kwscore.experiment.plan import BOARD, RECORDED
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.telemetry import Engine, Telemetry

SPACING = 2 * CLIP_SAMPLES
"""Single clips are scored on a common clock this far apart, so that no detection reaches into the next clip."""
TRIES = 3
"""How often a clip is played to a board that loses its answer."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One network on one engine in one condition with one seed."""

    network: Network
    engine: str
    condition: Condition
    seed: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What a unit counted.

    ``confusion``   (12, 12) [true class, answer at the end of the clip or word].
    ``events``      {"words", "hits", "misses", "false_accepts", "confusions", "samples", "by_word"}, or None.
    ``latencies``   ms from the end of each word found to its detection, where ends are known.
    ``hop_us``      median time of one hop: on this machine, or as the board counts its cycles (counts it
                    none: the round trip).
    ``lost``        hops that a board lost on the line, or heard as zeros.
    """

    confusion: NDArray[np.int64]
    events: dict[str, Any] | None
    latencies: tuple[float, ...]
    hop_us: float
    lost: int


Step = Callable[[int], None]
"""Called with the clips done; may wait (pause) or raise (cancel)."""


def measure(
    unit: Unit,
    speech: Speech,
    engine: Engine,
    settings: DetectionSettings | None,
    reference: str | float = "whole",
    step: Step = lambda _: None,
) -> Counts:
    """Play ``speech`` to ``engine`` in the unit's condition: as a stream where it has one, else clip by clip.

    Raises what the engine raises (KWScopeError of a lost board) and what ``step`` raises.
    """
    whole = unit.engine.startswith(BOARD)  # a board answers later: it needs several hops in flight
    if len(speech.pcm):
        return _stream(unit, speech, engine, settings, reference, step, whole)
    return _clips(unit, speech, engine, settings, step, whole)


# clip by clip --------------------------------------------------------------------------------------------------------
def _clips(
    unit: Unit, speech: Speech, engine: Engine, settings: DetectionSettings | None, step: Step, whole: bool
) -> Counts:
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    times: list[float] = []
    found: list[Detection] = []
    truth: list[Utterance] = []
    lost = 0
    for number, pcm in enumerate(_mixed(unit, speech)):
        step(number)
        records, missing = _play(engine, pcm, whole)
        lost += missing
        label = int(speech.labels[number])
        confusion[label, int(np.argmax(records[-1].logits))] += 1
        times += [record.elapsed_us for record in records[1:]]
        if settings is not None:
            at = number * SPACING
            found += _heard(records, settings, at)
            if label < len(WORDS):
                first, end = speech.spans[number]
                truth.append(Utterance(WORDS[label], at + int(first), at + int(end)))
    samples = CLIP_SAMPLES * len(speech.labels)
    score = score_events(truth, found, samples) if settings is not None else None
    return _counts(confusion, score, samples, speech.ends_known, times, lost)


def _mixed(unit: Unit, speech: Speech) -> Iterator[NDArray[np.int16]]:
    """Every clip in the unit's condition, as ``kwscope evaluate`` mixes it; in 16 bits, which is what engines hear."""
    for block in streams(speech.clips, unit.condition, unit.seed, 16):
        yield from to_pcm(block)


def _play(engine: Engine, pcm: NDArray[np.int16], whole: bool) -> tuple[list[Telemetry], int]:
    """Records of a clip from reset, and how many a board lost on the line; the last one is always there."""
    expected = (len(pcm) - WINDOW) // HOP + 1
    lost = 0
    for _ in range(TRIES):
        engine.reset()
        records = list(_records(engine, pcm, len(pcm) if whole else HOP))
        lost += expected - len(records) + int(getattr(engine, "filled", 0))
        if records and records[-1].frame == expected - 1:
            return records, lost
    raise KWScopeError(
        f"{engine.name}: the last answer of a clip was lost {TRIES} times in a row: check the board's cable and baud "
        "rate; go on with --resume."
    )


def _records(engine: Engine, pcm: NDArray[np.int16], block: int) -> Iterator[Telemetry]:
    for start in range(0, len(pcm), block):
        yield from engine.process(pcm[start : start + block])


def _heard(records: list[Telemetry], settings: DetectionSettings, at: int) -> list[Detection]:
    detector = Detector(settings)
    events = (detector.update(record) for record in records)
    return [Detection(event.word, at + event.decided, event.score) for event in events if event is not None]


# as a stream ---------------------------------------------------------------------------------------------------------
def _stream(
    unit: Unit,
    speech: Speech,
    engine: Engine,
    settings: DetectionSettings | None,
    reference: str | float,
    step: Step,
    whole: bool,
) -> Counts:
    mixer = stream_mixer(unit, speech, reference)
    detector = Detector(settings) if settings is not None else None
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    frames = (speech.reads - WINDOW) // HOP  # the newest frame that is finished where the answer is read
    times: list[float] = []
    found: list[Detection] = []
    done = count = 0
    last: Telemetry | None = None
    engine.reset()
    for start in range(0, len(speech.pcm), SAMPLE_RATE):
        step(done)
        pcm = mixer.process(speech.pcm[start : start + SAMPLE_RATE])
        for record in _records(engine, pcm, len(pcm) if whole else HOP):
            count += 1
            times.append(record.elapsed_us)
            while done < len(frames) and record.frame > frames[done]:
                _read(confusion, speech, done, last)
                done += 1
            last = record
            event = detector.update(record) if detector is not None else None
            if event is not None:
                found.append(Detection(event.word, event.decided, event.score))
    for number in range(done, len(frames)):
        _read(confusion, speech, number, last)
    expected = max(0, (len(speech.pcm) - WINDOW) // HOP + 1)
    score = score_events(speech.truth, found, len(speech.pcm)) if settings is not None else None
    lost = expected - count + int(getattr(engine, "filled", 0))
    return _counts(confusion, score, len(speech.pcm), speech.ends_known, times, lost)


def _read(confusion: NDArray[np.int64], speech: Speech, number: int, record: Telemetry | None) -> None:
    if record is None:
        raise KWScopeError(
            "The first word of the stream ends before the engine's first answer: put silence before it (gap_s)."
        )
    confusion[int(speech.labels[number]), int(np.argmax(record.logits))] += 1


def stream_mixer(unit: Unit, speech: Speech, reference: str | float) -> StreamingMixer:
    """The mixer that live sound goes through, with the unit's noise. ``reference``: see ``Plan``."""
    level: Any = active_speech_dbfs(speech.pcm) if reference == "whole" else reference
    mixer = StreamingMixer(None, unit.condition.snr_db, unit.seed, reference=level)
    if unit.condition.noise:
        mixer.set_noise(_noise_stream(unit, speech))
    return mixer


def _noise_stream(unit: Unit, speech: Speech) -> NoiseStream | str:
    noise = unit.condition.noise
    if noise in PUBLISHED_NOISES:
        return noise
    rng = np.random.default_rng(unit.seed)
    recordings = speech.clips.material.noise[noise.removeprefix(RECORDED)]
    return RecordedNoise(noise, rng, noise, samples=recordings[rng.integers(len(recordings))])


# figures -------------------------------------------------------------------------------------------------------------
def _counts(
    confusion: NDArray[np.int64],
    score: EventScore | None,
    samples: int,
    ends_known: bool,
    times: list[float],
    lost: int,
) -> Counts:
    events: dict[str, Any] | None = None
    latencies: tuple[float, ...] = ()
    if score is not None:
        events = {
            "words": len(score.hits) + len(score.misses),
            "hits": len(score.hits),
            "misses": len(score.misses),
            "false_accepts": len(score.false_accepts),
            "confusions": len(score.confusions),
            "samples": samples,
            "by_word": score.by_word(),
        }
        latencies = tuple(round(match.latency_ms, 3) for match in score.hits if ends_known)
    return Counts(confusion, events, latencies, float(np.median(times)) if times else 0.0, lost)
