"""Recording in the terminal: one source through one engine into one file, until something ends it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kwscore.cli.common import emit, note, open_engine, open_source
from kwscore.constants import SAMPLE_RATE

if TYPE_CHECKING:
    from kwscore.session.recorder import Recorder
    from kwscore.stream.runner import Runner

_GRACE = 3.0  # seconds that a live source may lag behind before it is ended by the wall clock


def detection(threshold: float | None) -> Any:
    """Detection settings with another threshold, if one is given."""
    from kwscore.stream.detection import DetectionSettings

    return DetectionSettings() if threshold is None else DetectionSettings(threshold=threshold)


def to_bytes(megabytes: float | None) -> int | None:
    """Bytes of megabytes; None stays None."""
    return None if megabytes is None else round(megabytes * 1_000_000)


def hear(
    name: str,
    device: str | None,
    realtime: bool,
    model: str,
    threshold: float | None,
    seconds: float | None,
    out: Path | None,
    folder: Path | None,
    prefix: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Record a source until it ends, somebody ends it, or the recording ends itself."""
    from kwscore.session.places import new_path, standard_folder
    from kwscore.session.recorder import Recorder
    from kwscore.stream.detection import Detector
    from kwscore.stream.runner import Runner

    settings = detection(threshold)
    source = open_source(name, device=device, realtime=realtime)
    engine = open_engine(model)
    path = out if out is not None else new_path(folder or standard_folder(), prefix)
    runner = Runner(source, engine, Detector(settings))
    source.start()
    try:
        recorder = Recorder(path, patient=not source.live, **options)
        limit = options.get("limit")
        room = f", at most {limit / 1e6:.0f} MB" if limit is not None else ""
        note(f"Recording {source.name} with {engine.name} ({engine.model_hash}) into {path}{room}.")
        recorder.start()
        try:
            words = _listen(runner, recorder, seconds, quiet=as_json)
        finally:
            progress = recorder.stop(timeout=60.0)
    finally:
        source.stop()
    if as_json:
        emit({"type": "recording", "file": str(path), "samples": progress.samples, "events": words,
              "bytes": progress.size, "message": progress.message, "notice": progress.notice})  # fmt: skip
    note(f"{progress.samples / SAMPLE_RATE:.1f} s, {words} words, {progress.size / 1e6:.1f} MB in {path}.")
    if progress.message:
        note(f"kwscope: {progress.message}")
        raise typer.Exit(1)


def _listen(runner: Runner, recorder: Recorder, seconds: float | None, *, quiet: bool) -> int:
    """Step and record until the source ends, somebody ends it, or the recording ends itself; returns the words."""
    source, words, told, begin = runner.source, 0, "", time.monotonic()
    with _ends_in_order() as ended:
        while recorder.recording and not runner.finished and not ended:
            batch = runner.step(0.1)
            recorder.feed(batch, runner)
            words += len(batch.events)
            for event in () if quiet else batch.events:
                print(f"{(event.decided + 1) / SAMPLE_RATE:9.2f} s  {event.word:<6} {event.score:.2f}", flush=True)
            told = _tell(told, source.status().message or recorder.progress().notice)
            heard = (batch.position + len(batch.samples)) / SAMPLE_RATE
            late = source.live and seconds is not None and time.monotonic() - begin > seconds + _GRACE
            if seconds is not None and (heard >= seconds or late):
                break
    return words


def _tell(before: str, message: str) -> str:
    if message and message != before:
        note(f"kwscope: {message}")
    return message


@contextmanager
def _ends_in_order() -> Iterator[list[int]]:
    """A list that is no longer empty once somebody wants to end: Ctrl-C and SIGTERM then close the file properly."""
    wanted: list[int] = []
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda signum, _frame: wanted.append(signum))
    try:
        yield wanted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
