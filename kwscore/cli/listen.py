"""``kwscope listen``: words as they are heard, or everything that the network computes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kwscore.cli.common import (
    DEFAULT_BAUD,
    BaudOption,
    BoardOption,
    JsonOption,
    ModelOption,
    note,
    open_engine,
    open_source,
)
from kwscore.cli.listen_output import JsonOutput, Output, Silent, TextOutput
from kwscore.constants import HOP, SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kwscore.audio.source import Source
    from kwscore.stream.calibrator import CalibrationRecord
    from kwscore.stream.detection import DetectionSettings, Event
    from kwscore.stream.runner import Batch
    from kwscore.stream.telemetry import Engine

_GRACE = 3.0  # seconds that a live source may lag behind --seconds before it is ended by the wall clock


def listen(
    source: Annotated[
        str, typer.Argument(metavar="mic|demo|FILE", help="What to hear; FILE may be a playlist.")
    ] = "mic",
    device: Annotated[str | None, typer.Option(help="Input device, as `kwscope devices` names it, or a part.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds of sound.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WORD", help="Stop when WORD is heard; exit status 1 if it never is.")
    ] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Hear a file or the demo at its own pace.")] = False,
    model: ModelOption = DEFAULT_NETWORK,
    threshold: Annotated[float | None, typer.Option(help="Smoothed posterior that a word must reach.")] = None,
    word_threshold: Annotated[
        list[str] | None, typer.Option(metavar="WORD=VALUE", help="Threshold of one word; may be repeated.")
    ] = None,
    smoothing_ms: Annotated[float | None, typer.Option(help="Span of the average over the posteriors.")] = None,
    minimum_ms: Annotated[float | None, typer.Option(help="How long a word must stay at its threshold.")] = None,
    refractory_ms: Annotated[float | None, typer.Option(help="No second event sooner than this.")] = None,
    release: Annotated[
        float | None, typer.Option(help="Part of its threshold below which a word must fall to fire again.")
    ] = None,
    board: BoardOption = None,
    baud: BaudOption = DEFAULT_BAUD,
    calibrate: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.3, help="Take the first SECONDS for silence and calibrate by it."),
    ] = None,
    as_json: JsonOption = False,
    telemetry: Annotated[
        bool, typer.Option("--telemetry/--events-only", help="With --json: every hop, or only the words.")
    ] = True,
) -> None:
    """Print every word that is heard.

    One line a word: time, word, score. Listens to the microphone until Ctrl-C, or to the demo or a file, as fast as it
    goes, to its end. Times are on the clock of the samples, from the first one. A file that is cut short or damaged is
    heard as far as it goes; that is said on stderr, and the exit status is then 1.

    With --board the network runs on a board; while that is lost, or not there yet, the integer engine goes on, and the
    board is taken by itself when it can be.

    With --calibrate the network's constants follow the noise of the first SECONDS and the SNR of the words heard since.
    It is off by default because it was measured to cost accuracy (docs/calibration.md).

    With --json each line is an object with a "type": one "start", a "telemetry" for every hop of 10 ms, an "event" for
    every word, a "calibration" for every change of the constants, one "end".
    """
    settings = _settings(
        threshold=threshold,
        word_thresholds=_word_thresholds(word_threshold or []),
        smoothing_ms=smoothing_ms,
        minimum_ms=minimum_ms,
        refractory_ms=refractory_ms,
        release=release,
    )
    if until is not None and until not in WORDS:
        raise KWScopeError(f"--until {until}: not a word that the networks know; choose one of {', '.join(WORDS)}")
    if board is not None and calibrate is not None:
        raise KWScopeError("--calibrate changes constants that a board keeps to itself: leave it out, or --board.")
    opened = open_source(source, device=device, realtime=realtime)
    engine = open_engine(model, board, baud)
    session = _Session(opened, engine, settings, JsonOutput(telemetry) if as_json else TextOutput(), calibrate)
    heard = session.run(seconds, until)
    if (until is not None and not heard) or session.incomplete:
        raise typer.Exit(1)


def _word_thresholds(pairs: list[str]) -> dict[str, float]:
    found = {}
    for pair in pairs:
        word, _, value = pair.partition("=")
        try:
            found[word] = float(value)
        except ValueError:
            raise KWScopeError(f"--word-threshold {pair}: write WORD=VALUE, for instance stop=0.7") from None
    return found


def _settings(**given: Any) -> DetectionSettings:
    from kwscore.stream.detection import DetectionSettings

    return DetectionSettings(**{name: value for name, value in given.items() if value is not None})


class _Session:
    """One source through one engine into one output, to the end or until something ends it."""

    def __init__(
        self,
        source: Source,
        engine: Engine,
        settings: DetectionSettings,
        output: Output,
        calibrate: float | None = None,
    ) -> None:
        from kwscore.board.engine import BoardEngine
        from kwscore.stream.detection import Detector
        from kwscore.stream.runner import Runner

        self.source = source
        self.engine = engine
        self._board = engine if isinstance(engine, BoardEngine) else None
        self.settings = settings
        self.runner = Runner(source, self.engine, Detector(settings))
        self.output = output
        self._calibration = _Calibration(self.engine, calibrate) if calibrate is not None else None
        self.events: list[Event] = []
        self._trouble = ""

    def run(self, seconds: float | None, until: str | None) -> bool:
        """Listen; True when ``until`` was heard."""
        self.source.start()
        begin = time.monotonic()
        try:
            self.output.start(self)
            return self._loop(begin, seconds, until)
        except BrokenPipeError:  # the reader has had enough: nothing more to say
            self.output = Silent()
            raise
        finally:
            self.source.stop()
            self.output.end(self, time.monotonic() - begin)
            if self._board is not None:
                self._board.close()

    @property
    def board(self) -> str | None:
        """The port of the board that computes."""
        return self._board.client.port if self._board else None

    @property
    def stood_in(self) -> int:
        """Frames that the integer engine computed in the board's place."""
        return self._board.stood_in if self._board else 0

    def _loop(self, begin: float, seconds: float | None, until: str | None) -> bool:
        while not self.runner.finished:
            batch = self.runner.step(0.1)
            self.output.batch(batch)
            self.events += batch.events
            if self._calibration and (record := self._calibration.hear(batch)):
                self.output.calibrated(record)
            self._report_trouble()
            if until is not None and any(event.word == until for event in batch.events):
                return True
            heard = (batch.position + len(batch.samples)) / SAMPLE_RATE
            late = self.source.live and seconds is not None and time.monotonic() - begin > seconds + _GRACE
            if seconds is not None and (heard >= seconds or late):
                break
        self._report_trouble()
        return False

    @property
    def incomplete(self) -> bool:
        """Whether a stored source proved to be cut short or damaged."""
        from kwscore.audio.pacing import PacedSource

        return isinstance(self.source, PacedSource) and self.source.damaged

    def score(self) -> dict[str, Any] | None:
        """Hits, misses and false accepts so far, where the source knows what is said (a playlist); else None."""
        from kwscore.audio.playlist import PlaylistSource

        heard = self.runner.statistics().position
        if not isinstance(self.source, PlaylistSource) or not heard:
            return None
        from kwscore.evaluation.events import Detection, Utterance, score_events

        said = [Utterance(t.word, t.start, t.end) for t in self.source.truth() if t.end <= heard]
        found = [Detection(event.word, event.decided, event.score) for event in self.events]
        return score_events(said, found, heard).to_dict()

    def _report_trouble(self) -> None:
        """Say what is wrong with the source or the board when that changes."""
        lost = self._board.client.reason if self._board else ""
        message = self.source.status().message or (f"{lost} The integer engine goes on." if lost else "")
        if message and message != self._trouble:
            self.output.clear()
            note(f"kwscope: {message}")
        elif self._board is not None and self._trouble and not message:
            note("kwscope: the board is back.")
        self._trouble = message


class _Calibration:
    """Takes the first seconds for silence, calibrates, and corrects the SNR by every word that is heard."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        from kwscore.stream.calibrator import Calibrator

        self._calibrator = Calibrator(cast(Any, engine))
        self._left = max(round(seconds * SAMPLE_RATE), HOP)
        self._recent: list[NDArray[np.int16]] = []

    def hear(self, batch: Batch) -> CalibrationRecord | None:
        """What one step delivered; returns what was changed, if anything."""
        silence = batch.samples[: self._left]
        if len(silence):
            self._calibrator.add(silence)
            self._left -= len(silence)
            if self._left == 0:
                return self._calibrator.apply()
        import numpy as np

        self._recent = [np.concatenate((*self._recent, batch.samples))[-SAMPLE_RATE:]]
        return self._calibrator.heard(self._recent[0]) if batch.events and self._left == 0 else None
