"""Out of a session into files that other programs read. Everything is written beside and renamed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import LABELS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.files import make_folder, writing
from kwscore.session.codec import Frames
from kwscore.session.reader import Session

AROUND = SAMPLE_RATE
"""Samples before and after the decision of a word in its clip."""
_BLOCK = 60 * SAMPLE_RATE
_SECONDS_DIGITS = 6


def audio(session: Session, path: Path, start: int = 0, stop: int | None = None) -> Path:
    """Samples [start, stop) as the networks heard them, 16 bit, 16 kHz, mono; WAV or FLAC by the suffix of ``path``.

    Raises KWScopeError for another suffix, for a span without samples and where it cannot be written.
    """
    import soundfile

    kind = {".wav": "WAV", ".flac": "FLAC"}.get(path.suffix.lower())
    if kind is None:
        raise KWScopeError(f"Sound is exported as .wav or .flac, not as {path.name}: give one of these suffixes.")
    stop = session.length if stop is None else min(stop, session.length)
    if not 0 <= start < stop:
        raise KWScopeError(
            f"There is no sound from {start / SAMPLE_RATE:g} s to {stop / SAMPLE_RATE:g} s in {session.path.name}, "
            f"which lasts {session.seconds:.1f} s."
        )
    if kind == "WAV" and (stop - start) * 2 > 4_200_000_000:
        raise KWScopeError(f"{path.name} would be longer than a WAV file can be: export FLAC instead.")
    with writing(path) as part:
        try:
            with soundfile.SoundFile(part, "w", SAMPLE_RATE, 1, subtype="PCM_16", format=kind) as file:
                for at in range(start, stop, _BLOCK):
                    file.write(session.audio(at, min(at + _BLOCK, stop)))
        except soundfile.SoundFileError as error:
            raise OSError(str(error)) from error
    return path


def clips(session: Session, folder: Path) -> list[Path]:
    """The two seconds around every reported word as WAV files, named by number, time, word and score."""
    make_folder(folder)
    made = []
    for number, event in enumerate(session.events, 1):
        stem = f"{number:05}-{_stamp(event.decided)}-{event.word}-{event.score:.2f}.wav"
        made.append(audio(session, folder / stem, max(event.decided - AROUND, 0), event.decided + AROUND))
    return made


def _stamp(sample: int) -> str:
    minutes, seconds = divmod(sample // SAMPLE_RATE, 60)
    return f"{minutes // 60:02}h{minutes % 60:02}m{seconds:02}s"


def columns(frames: Frames) -> dict[str, NDArray[Any]]:
    """A flat table, (n,) each: time in seconds, frame, level, and one column per number: ``snr_00`` to ``snr_39``."""
    table: dict[str, NDArray[Any]] = {
        "time_s": np.round((frames.position + 1) / SAMPLE_RATE, _SECONDS_DIGITS),
        "sample": frames.position,
        "frame": frames.frame,
        "level_dbfs": frames.columns["level_dbfs"],
        "elapsed_us": frames.columns["elapsed_us"],
    }
    for name in ("logits", "posteriors"):
        title = name.rstrip("s")
        table |= {f"{title}_{label}": frames.columns[name][:, i] for i, label in enumerate(LABELS)}
    for name in frames.details:
        values = frames.columns[name].reshape(len(frames), -1)
        table |= {_title(name, i, frames.columns[name].shape[1:]): values[:, i] for i in range(values.shape[1])}
    return table


def _title(name: str, index: int, shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"{name}_{index // shape[1]}_{index % shape[1]:02}"
    return f"{name}_{index:02}"


def _tables(session: Session) -> Iterator[dict[str, NDArray[Any]]]:
    """Blocks of one table with the columns of all networks and engines of the session; NaN where a block's engine does
    not have a column."""
    names = {name: None for frames in session.frames() for name in columns(frames)}
    for frames in session.frames():
        table, missing = columns(frames), np.full(len(frames), np.nan, np.float32)
        yield {name: table.get(name, missing) for name in names}


def telemetry_csv(session: Session, path: Path) -> Path:
    """One line a frame, all that was recorded of it. Floats have the digits that give the same 32 bits again.

    What the engine of a frame does not compute, and another one of the session does, is left empty.
    """
    with writing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, table in enumerate(_tables(session)):
            if number == 0:
                writer.writerow(table)
            writer.writerows(zip(*(_texts(column) for column in table.values()), strict=True))
    return path


def _texts(column: NDArray[Any]) -> list[str]:
    if column.dtype == np.float32:
        return ["" if value != value else f"{value:.9g}" for value in column.tolist()]
    return [repr(value) for value in column.tolist()]


EVENT_COLUMNS = ("time_s", "word", "score", "start_s", "peak_s", "start", "peak", "decided", "said", "note")


def events_csv(session: Session, path: Path) -> Path:
    """One line for each word that was reported: when, how sure, and the notes within a second of it."""
    with writing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EVENT_COLUMNS)
        for event in session.events:
            times = [f"{(sample + 1) / SAMPLE_RATE:.6f}" for sample in (event.decided, event.start, event.peak)]
            said = next((t.word for t in session.truths if t.start <= event.decided <= t.end + AROUND), "")
            notes = "; ".join(n.text or "pin" for n in session.notes if abs(n.position - event.decided) <= AROUND)
            samples = (event.start, event.peak, event.decided)
            writer.writerow([times[0], event.word, repr(event.score), *times[1:], *samples, said, notes])
    return path


def parquet(session: Session, path: Path) -> Path:
    """The table of ``telemetry_csv``, with the metadata of ``metadata`` under the key ``kwscope``.

    Raises KWScopeError where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError as error:
        raise KWScopeError("Parquet needs pyarrow: install it with `pip install kwscope[parquet]`.") from error
    with writing(path) as part:
        writer = None
        try:
            for table in _tables(session):
                block = pa.table(table)
                if writer is None:
                    about = json.dumps(metadata(session), allow_nan=False)
                    block = block.replace_schema_metadata({"kwscope": about})
                    writer = pq.ParquetWriter(part, block.schema)
                writer.write_table(block.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise KWScopeError(f"{session.path.name} holds no frames: there is nothing to export.")
    return path


def metadata(session: Session) -> dict[str, Any]:
    """Everything about a session but its sound and frames, as plain values. Positions are samples at 16 kHz."""
    return {
        "file": session.path.name,
        **session.header,
        "samples": session.length,
        "seconds": session.seconds,
        "frames": session.rows,
        "complete": session.complete,
        "trouble": session.trouble,
        "ending": session.ending,
        "kept": session.kept if session.spans else [[0, session.length]],
        "segments": [asdict(segment) for segment in session.segments],
        "changes": [asdict(change) for change in session.changes],
        "events": len(session.events),
        "notes": [note.to_dict() for note in session.notes],
        "truths": [truth._asdict() for truth in session.truths],
    }


def metadata_json(session: Session, path: Path) -> Path:
    """``metadata`` as a file."""
    with writing(path) as part:
        part.write_text(json.dumps(metadata(session), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
