"""``kwscope session``: record, look into, replay, verify and export sessions; count false accepts over hours."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import JsonOption, ModelOption, emit, note, print_columns
from kwscore.cli.recording import detection, hear, to_bytes
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    from kwscore.session.reader import Session

app = typer.Typer(
    no_args_is_help=True,
    help="Record, look into, replay, verify and export sessions; count false accepts over hours.",
    short_help="Record, replay and export sessions.",
)

SessionFile = Annotated[Path, typer.Argument(metavar="FILE", help="A recorded session (.kwsession).")]
Device = Annotated[str | None, typer.Option(help="Input device, as `kwscope devices` names it, or a part.")]
Seconds = Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds of sound.")]
Realtime = Annotated[bool, typer.Option("--realtime", help="Hear a file or the demo at its own pace.")]
SourceName = Annotated[str, typer.Argument(metavar="mic|demo|FILE", help="What to hear; FILE may be a playlist.")]
Threshold = Annotated[float | None, typer.Option(help="Smoothed posterior that a word must reach.")]


class Detail(StrEnum):
    """How much is recorded of every hop."""

    full = "full"
    brief = "brief"


class What(StrEnum):
    """What can be exported."""

    audio = "audio"
    clips = "clips"
    telemetry = "telemetry"
    events = "events"
    parquet = "parquet"
    json = "json"


class Kind(StrEnum):
    """Arithmetic of an engine."""

    float = "float"
    integer = "integer"


@app.command()
def record(
    source: SourceName = "mic",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to make; default: a new one in --folder.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of recordings; default: KWScope in your documents.")
    ] = None,
    device: Device = None,
    seconds: Seconds = None,
    realtime: Realtime = False,
    model: ModelOption = DEFAULT_NETWORK,
    threshold: Threshold = None,
    detail: Annotated[
        Detail, typer.Option(help="brief: logits and level of every hop, without bands, routing and step sizes.")
    ] = Detail.full,
    limit_mb: Annotated[float | None, typer.Option(min=1, help="End when the file has so many MB.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Record a microphone until Ctrl-C, or the demo or a file to its end.

    What is written survives a crash or a power cut but for its last seconds. Exit status 1 where the recording ended by
    itself (full disk, limit).
    """
    hear(source, device, realtime, model, threshold, seconds, out, folder, "session", as_json, detail=detail.value,
          limit=to_bytes(limit_mb))  # fmt: skip


@app.command()
def watch(
    source: SourceName = "mic",
    folder: Annotated[
        Path | None, typer.Option(help="Folder of recordings; default: KWScope in your documents.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to make; default: a new one in --folder.")
    ] = None,
    device: Device = None,
    hours: Annotated[float | None, typer.Option(min=0.0001, help="Stop after so many hours of sound.")] = None,
    realtime: Realtime = False,
    model: ModelOption = DEFAULT_NETWORK,
    threshold: Threshold = None,
    lowest: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Lowest threshold that the report shall be able to try.")
    ] = 0.3,
    limit_mb: Annotated[
        float, typer.Option(min=1, help="Keep no more sound when the file has so many MB; words are still counted.")
    ] = 1000.0,
    as_json: JsonOption = False,
) -> None:
    """Listen for hours and keep only the seconds around words: a false-accept run.

    Let it hear a room, a radio or a long file in which nobody says the words. Kept is a second before and after
    everything that comes near a word at --lowest; `kwscope session report` then counts false accepts per hour by word
    and threshold, and `kwscope session export --what clips` writes out what was taken for a word.
    """
    from kwscore.session.spans import Spans

    seconds = hours * 3600 if hours is not None else None
    hear(source, device, realtime, model, threshold, seconds, out, folder, "watch", as_json,
          spans=Spans.for_settings(detection(threshold), lowest), limit=to_bytes(limit_mb))  # fmt: skip


@app.command()
def info(
    file: SessionFile,
    check: Annotated[bool, typer.Option("--check", help="Read all of it and prove every checksum.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What a session holds and how it was made. Exit status 1 where something of it is missing."""
    from kwscore.session.export import metadata

    with _open(file) as session:
        if check:
            session.check()
        if as_json:
            emit(metadata(session))
        else:
            print_columns([("what", "value"), *_facts(session)], left=(0, 1))
        if session.trouble:
            note(f"kwscope: {session.trouble}")
            raise typer.Exit(1)


@app.command()
def verify(
    file: SessionFile,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME|PATH", help="The network, where it is one of your own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the engine that made a session over its sound again: every bit of every hop must be the same.

    Exit status 1 where one differs; the first is named.
    """
    from kwscore.session.replay import load_engine, verify

    with _open(file) as session, _progress(session) as tell:
        made = session.segments[0].engine if session.segments else {}
        engine = load_engine(model, made.get("kind", "float")) if model is not None else None
        begin = time.perf_counter()
        verdict = verify(session, engine, tell)
        elapsed = time.perf_counter() - begin
        if session.lost:  # known only now that all of it was read
            note(f"kwscope: {session.trouble}")
    if as_json:
        emit({"type": "verify", "file": str(file), "equal": verdict.equal, "frames": verdict.frames,
              "unchecked": verdict.unchecked, "events": verdict.events, "difference": verdict.difference})  # fmt: skip
    else:
        unchecked = f"; {verdict.unchecked} could not be checked" if verdict.unchecked else ""
        words = "Nothing could be compared" if not verdict.frames else f"{verdict.frames} hops are equal bit for bit"
        print(f"{words}{unchecked} ({elapsed:.1f} s).")
        if verdict.difference:
            print(verdict.difference)
    if not verdict.equal:
        raise typer.Exit(1)


@app.command()
def replay(
    file: SessionFile,
    model: ModelOption = DEFAULT_NETWORK,
    engine: Annotated[Kind, typer.Option(help="Arithmetic to replay in.")] = Kind.float,
    as_json: JsonOption = False,
) -> None:
    """Run any network over a session's sound and compare it with what was recorded."""
    from kwscore.session.replay import compare, load_engine

    with _open(file) as session, _progress(session) as tell:
        if not session.segments:
            raise KWScopeError(f"{session.path} holds no sound: nothing can be replayed.")
        made = session.segments[0].engine
        begin = time.perf_counter()
        found = compare(session, load_engine(model, engine.value), tell)
        elapsed = time.perf_counter() - begin
        seconds, recorded = session.seconds, len(session.events)
    if as_json:
        emit({"type": "replay", "file": str(file), "recorded": made, "engine": found.engine, "frames": found.frames,
              "same_class": found.same_class, "largest_logit_difference": found.largest,
              "largest_at_s": (found.largest_at + 1) / SAMPLE_RATE, "mean_logit_difference": found.mean,
              "largest_margin_lost": found.margin, "events_recorded": recorded, "events_matched": found.matched,
              "only_recorded": [_event(e) for e in found.only_recorded],
              "only_new": [_event(e) for e in found.only_new]})  # fmt: skip
        return
    name = f"{found.engine['name']} ({found.engine['hash']}, {found.engine['kind']})"
    agreement = f"{found.same_class} of {found.frames} hops"
    if found.frames:
        agreement += f" ({100 * found.agreement:.3f} %)"
    print_columns(
        [
            ("what", "value"),
            ("recorded with", f"{made['name']} ({made['hash']}, {made['kind']})"),
            ("replayed with", name),
            ("likeliest class the same", agreement),
            ("largest logit difference", f"{found.largest:.6g} at {(found.largest_at + 1) / SAMPLE_RATE:.2f} s"),
            ("mean logit difference", f"{found.mean:.6g}"),
            ("largest margin lost", f"{found.margin:.6g}"),
            ("words that both report", f"{found.matched} of {recorded} recorded"),
            ("only recorded", _said(found.only_recorded)),
            ("only replayed", _said(found.only_new)),
        ],
        left=(0, 1),
    )
    note(f"{seconds:.1f} s replayed in {elapsed:.1f} s.")


@app.command()
def export(
    file: SessionFile,
    what: Annotated[What, typer.Option(help="audio: .wav or .flac by the name of OUT; clips: a folder of WAV files.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File, or for clips folder, to write.")],
    start: Annotated[float, typer.Option(min=0, help="Audio from this second on.")] = 0.0,
    stop: Annotated[float | None, typer.Option(min=0, help="Audio up to this second.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a part of a session as a file that other programs read.

    audio: what the networks heard, 16 bit, 16 kHz. clips: two seconds around every word. telemetry: CSV, a line for
    every hop. events: CSV, a line for every word. parquet: telemetry as Parquet (needs pyarrow). json: settings,
    versions, notes and all else.
    """
    from kwscore.session import export as to

    with _open(file) as session:
        end = None if stop is None else round(stop * SAMPLE_RATE)
        writers: dict[What, Any] = {
            What.audio: lambda: to.audio(session, out, round(start * SAMPLE_RATE), end),
            What.clips: lambda: to.clips(session, out),
            What.telemetry: lambda: to.telemetry_csv(session, out),
            What.events: lambda: to.events_csv(session, out),
            What.parquet: lambda: to.parquet(session, out),
            What.json: lambda: to.metadata_json(session, out),
        }
        made = writers[what]()
        if session.trouble:
            note(f"kwscope: {session.trouble}")
    files = made if isinstance(made, list) else [made]
    if as_json:
        emit({"type": "export", "what": what.value, "files": [str(path) for path in files]})
    else:
        print(f"{len(files)} clips in {out}" if what is What.clips else str(out))


@app.command()
def report(
    file: SessionFile,
    threshold: Annotated[list[float] | None, typer.Option(help="Thresholds to try; may be repeated.")] = None,
    as_json: JsonOption = False,
) -> None:
    """False accepts per hour by word, at every threshold.

    Detection is done over again on the smoothed posteriors that were recorded, with the other settings as they were.
    Where nobody knows what was said, every word counts as a false accept.
    """
    from kwscore.evaluation.longrun import THRESHOLDS
    from kwscore.session.accepts import report, table

    with _open(file) as session, _progress(session) as tell:
        made = report(session, threshold or THRESHOLDS, tell)
        if session.trouble:
            note(f"kwscope: {session.trouble}")
    if as_json:
        emit({"type": "report", "hours": made.hours, "reported": made.reported, "truth_known": made.known,
              "settings": made.settings.to_dict(),
              "rows": [{"threshold": row.threshold, "false_accepts_per_hour": row.per_hour, "by_word": row.by_word,
                        "score": row.score.to_dict()} for row in made.rows]})  # fmt: skip
        return
    print_columns(table(made), left=(0,))
    known = "with what was really said taken into account" if made.known else "every report counted as a false accept"
    note(f"False accepts per hour of {made.hours:.3f} h, {known}. * as it was set: {made.reported} words then.")


@contextmanager
def _open(file: Path) -> Iterator[Session]:
    from kwscore.session.reader import Session

    with Session(file) as session:
        yield session


@contextmanager
def _progress(session: Session) -> Iterator[Any]:
    """A line at the terminal that says how far a replay is; nothing where nobody looks."""
    shown = sys.stderr.isatty()
    due = 0.0

    def tell(position: int) -> None:
        nonlocal due
        now = time.monotonic()
        if shown and now >= due:
            due = now + 0.1
            text = f"{position / SAMPLE_RATE:8.1f} s of {session.seconds:.1f} s"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _event(event: Any) -> dict[str, Any]:
    return {"word": event.word, "score": event.score, "decided_s": (event.decided + 1) / SAMPLE_RATE}


def _said(events: list[Any]) -> str:
    if not events:
        return "none"
    shown = ", ".join(f"{event.word} at {event.decided / SAMPLE_RATE:.2f} s" for event in events[:8])
    return shown + (f" and {len(events) - 8} more" if len(events) > 8 else "")


def _facts(session: Session) -> list[tuple[str, str]]:
    """Lines of `kwscope session info`."""
    header, size = session.header, session.path.stat().st_size
    rows = [
        ("began", str(header.get("began", ""))),
        ("length", f"{session.seconds:.2f} s ({session.length} samples)"),
        ("size", f"{size / 1e6:.1f} MB"),
        ("detail", f"{header.get('detail', '')}{', only around words' if session.spans else ''}"),
        ("before the button", f"{header.get('pre_roll', 0) / SAMPLE_RATE:.2f} s"),
        ("hops", str(session.rows)),
    ]
    for segment in session.segments:
        engine = segment.engine
        span = f"{segment.start / SAMPLE_RATE:.2f} to {segment.end / SAMPLE_RATE:.2f} s"
        rows.append((span, f"{engine['name']} ({engine['hash']}, {engine['kind']}) on {segment.source['name']}"))
    for change in session.changes:
        if change.what == "noise" and (change.to or change.position):
            to = change.to or {}
            noise = f"{to['noise']} at {to['snr_db']:g} dB" if to else "no noise"
            rows.append((f"from {change.position / SAMPLE_RATE:.2f} s", noise))
        elif change.what == "calibrated":
            to = change.to or {}
            level = f"noise {to['noise']['level_dbfs']:g} dBFS, SNR {to['snr_db']:g} dB" if to else ""
            said = f"calibrated: {level}" if to else "the network's own constants"
            rows.append((f"from {change.position / SAMPLE_RATE:.2f} s", said))
        elif change.what == "dropped" and change.to:
            rows.append((f"at {change.position / SAMPLE_RATE:.2f} s", f"{change.to} samples lost up to here"))
    rows += [(f"words ({len(session.events)})", _said(session.events)), ("notes", str(len(session.notes)))]
    for mark in session.notes:
        rows.append((f"at {mark.position / SAMPLE_RATE:.2f} s", mark.text or "pin"))
    rows += [(name, value) for name, value in header.get("versions", {}).items()]
    return rows
