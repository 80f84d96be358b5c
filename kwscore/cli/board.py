"""``kwscope board``: find, ask, load, test and watch a board, real or virtual."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import (
    DEFAULT_BAUD,
    BaudOption,
    JsonOption,
    ModelOption,
    emit,
    note,
    note_progress,
    open_source,
    print_columns,
)
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    from kwscore.board.client import BoardClient
    from kwscore.board.opening import Served
    from kwscore.board.protocol import Info
    from kwscore.board.selftest import Report, Spread
    from kwscore.fixed.image import Image

app = typer.Typer(
    help="Find, ask, load, test and watch a board.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    no_args_is_help=True,
)

BoardArgument = Annotated[str, typer.Argument(metavar="sim|rtl|PORT", help="A virtual board, or a serial port.")]
PaceOption = Annotated[bool, typer.Option("--pace", help="A virtual board's line takes as long as a real one.")]


@app.callback()
def _board() -> None:
    """Find, ask, load, test and watch a board."""


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the boards there are: virtual ones, and serial ports.

    A port is marked as a board when it is the UART of a Digilent Arty, Basys 3 or Cmod.
    """
    from kwscore.board.opening import VIRTUAL
    from kwscore.board.ports import list_boards_and_ports

    rows = [("board", "kind", "what it is")]
    records: list[dict[str, Any]] = []
    for name, what in VIRTUAL.items():
        state = _state_of_virtual(name)
        records.append({"board": name, "kind": "virtual", "description": what, "state": state})
        rows.append((name, "virtual", f"{what}; {state}"))
    for port in list_boards_and_ports():
        kind = "board" if port.board else "port"
        records.append(
            {"board": port.device, "kind": kind, "description": port.description, "serial_number": port.serial_number}
        )
        rows.append((port.device, kind, " ".join(filter(None, (port.description, port.serial_number)))))
    if as_json:
        for record in records:
            emit(record)
    else:
        print_columns(rows, left=(0, 1, 2))


def _state_of_virtual(name: str) -> str:
    from kwscore.board.opening import RTL
    from kwscore.errors import KWScopeError

    if name != RTL:
        return "ready"
    from kwscore.board import verilated

    try:
        if missing := verilated.missing_tools():
            return f"needs {' and '.join(missing)}"
        return "ready" if verilated.is_built() else "built on first use"
    except KWScopeError as error:
        return str(error)


@contextmanager
def _connected(
    name: str, image: Image | None, baud: int, pace: bool, model: Image | None
) -> Iterator[tuple[BoardClient, Served]]:
    """A client of the board, with ``model`` loaded or as it is, and what serves it. ``image`` sizes the board sim."""
    from kwscore.board.client import BoardClient
    from kwscore.board.golden import board_model
    from kwscore.board.handshake import check_baud
    from kwscore.board.opening import patience, serve

    check_baud(baud)
    served = serve(name, image, paced=pace, progress=note)
    try:
        weights = board_model(model).weights if model else None
        with BoardClient(
            served.port,
            baud=baud,
            weights=weights,
            bare=model is None,
            timing=patience(name),
            held_up=served.held_up,
            progress=note_progress,
        ) as client:
            yield client, served
    finally:
        served.close()


@app.command()
def info(board: BoardArgument, baud: BaudOption = DEFAULT_BAUD, as_json: JsonOption = False) -> None:
    """Say what a board is, what it runs, and what it has counted."""
    with _connected(board, None, baud, False, None) as (client, _):
        told, counted = client.info, client.stats()
    record, stats = {"board": board, **_info(told)}, counted.as_dict(told)
    if as_json:
        emit({**record, "stats": stats})
        return
    print_columns([(name.replace("_", " "), _plain(value)) for name, value in (record | stats).items()], left=(0, 1))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if value is None or isinstance(value, bool):
        return {None: "-", True: "yes", False: "no"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _info(told: Info) -> dict[str, Any]:
    from kwscore.board.protocol import Mode

    sizes = told.sizes
    return {
        "kind": told.tag,
        "protocol": told.protocol,
        "build": told.build.hex() if any(told.build) else None,
        "same_build": _same_build(told),
        "model_id": f"{told.model_id:08x}" if told.mode & Mode.LOADED else None,
        "clock_hz": told.clock_hz if told.counts_cycles else None,
        "counts_cycles": told.counts_cycles,
        "takes_features": bool(told.mode & Mode.FEATURES),
        "hop": told.hop,
        "sizes": {name: getattr(sizes, name) for name in sizes.__slots__},
        "weight_bytes": told.weight_bytes,
        "rx_fifo_bytes": told.rx_fifo,
        "frames_under_way": told.credit,
        "fields": [str(part.name).lower() for part in told.mask],
    }


def _same_build(told: Info) -> bool | None:
    """Whether the board was made from the hardware description that is here; None where that cannot be known."""
    from kwscore.board.sources import build_id
    from kwscore.errors import KWScopeError

    if not any(told.build):
        return None
    try:
        return told.build == build_id()
    except KWScopeError:
        return None


@app.command()
def load(
    board: BoardArgument,
    network: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A shipped name, a checkpoint, or an image (.kwsf).")
    ] = DEFAULT_NETWORK,
    baud: BaudOption = DEFAULT_BAUD,
    pace: PaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load a network into a board, and ask it whether it kept it.

    Nothing is sent where the board runs this very network already.
    """
    from kwscore.fixed.calibrate import load_image

    image = load_image(network, progress=note)
    begin = time.monotonic()
    with _connected(board, image, baud, pace, image) as (client, _):
        seconds = time.monotonic() - begin
        told = client.info
    if as_json:
        emit(
            {
                "board": board,
                "network": image.name,
                "model_hash": image.model_hash,
                "model_id": f"{told.model_id:08x}",
                "bytes": len(image.to_bytes()),
                "seconds": round(seconds, 3),
            }
        )
    else:
        print(f"{board} ({told.tag}) runs {image.name} ({image.model_hash}), model id {told.model_id:08x}.")


@app.command()
def selftest(
    board: BoardArgument,
    model: ModelOption = DEFAULT_NETWORK,
    seconds: Annotated[float, typer.Option(min=1.0, help="Sound to stream.")] = 20.0,
    baud: BaudOption = DEFAULT_BAUD,
    pace: PaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stream known sound to a board and compare every result with the integer engine.

    Speech in noises, steps of noise, silence, clipping and full-scale extremes, each from reset; every field of every
    RESULT has to be equal, bit for bit. Exit status 1 where one is not, or is missing. Also measured: hops a second,
    and where the time of a hop goes, link and board apart.
    """
    from kwscore.board.selftest import run
    from kwscore.board.signals import streams
    from kwscore.fixed.calibrate import load_image

    image, audio = load_image(model, progress=note), streams(seconds)
    with _connected(board, image, baud, pace, image) as (client, served):
        if _same_build(client.info) is False:
            note(f"The bitstream of {board} was made from other sources than these: differences may be meant.")
        before = _cpu_seconds(served)
        report = run(client, image, audio, note)
        after = _cpu_seconds(served)
    own = report.hops / (after - before) if before is not None and after is not None and after > before else None
    if as_json:
        told = {"board": board, "network": image.name, "model_hash": image.model_hash, "seconds": seconds}
        simulated = {"simulator_hops_per_cpu_s": round(own, 1)} if own else {}
        emit({**told, **report.as_dict(), **simulated, "info": _info(report.info)})
    else:
        _print_report(board, image, report, own)
    if not report.equal:
        raise typer.Exit(1)


def _cpu_seconds(served: Served) -> float | None:
    """Processor time of a board that is a process of its own."""
    from kwscore.board.verilated import VerilatedBoard

    return served.cpu_seconds() if isinstance(served, VerilatedBoard) else None


def _print_report(board: str, image: Image, report: Report, own: float | None) -> None:
    verdict = "equal to the integer engine in every field" if report.equal else "NOT the integer engine's"
    alone = f" and {report.given} of the network alone" if report.given else ""
    print(f"{board} ({report.info.tag}), {image.name} ({image.model_hash}):")
    print(f"{report.results} of {report.hops} results{alone},")
    print(f"{verdict}.")
    for name, count in report.differences.items():
        print(f"  {name} differs in {count} results")
    if report.first:
        print(f"  first: {report.first}")
    print()
    from kwscore.board.selftest import REAL_TIME

    stats = report.stats
    timed = report.info.counts_cycles
    rows = [("throughput", f"{report.rate:.0f} hops/s", f"{report.keep_up:.1f} x live audio")]
    if own is not None:
        rows.append(("  its own", f"{own:.0f} hops/s", f"{own / REAL_TIME:.1f} x live audio, on a core of its own"))
    for name, spread in (("round trip", report.round_trip), ("  link", report.link), ("  board", report.compute)):
        if spread is not None:
            rows.append((name, _microseconds(spread), "median, 99 %, longest; one hop at a time"))
    if not timed:
        rows.append(("longest hop", "-", "a board without cycle counter: this computer's times are no board's"))
    elif stats is not None:
        budget = report.info.clock_hz // 100
        rows.append(
            ("longest hop", f"{stats.max_cycles:,} cycles", f"{100 * stats.max_cycles / budget:.1f} % of 10 ms")
        )
    if stats is not None:
        troubles = (
            f"{stats.crc_errors} CRC, {stats.framing_errors} framing, {stats.overruns} overruns, {stats.gaps} gaps"
        )
        rows.append(("line errors", troubles, f"{stats.frames:,} frames received"))
    print_columns(rows, left=(0, 1, 2))


def _microseconds(spread: Spread) -> str:
    return " / ".join(f"{value / 1000:.2f}" for value in (spread.median, spread.p99, spread.longest)) + " ms"


@app.command()
def monitor(
    board: BoardArgument,
    source: Annotated[
        str, typer.Option("--source", metavar="mic|demo|FILE", help="What the board hears, at its own pace.")
    ] = "demo",
    device: Annotated[str | None, typer.Option(help="Input device of the microphone.")] = None,
    model: ModelOption = DEFAULT_NETWORK,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds of sound.")] = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds of sound between two lines.")] = 1.0,
    baud: BaudOption = DEFAULT_BAUD,
    pace: PaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Watch a board at work: its state, results, times and errors, a line a second.

    Until the source ends, or Ctrl-C. While the board is lost the integer engine fills in, and the board is taken back
    by itself.
    """
    from kwscore.board.opening import open_board
    from kwscore.cli.monitor import Monitor
    from kwscore.fixed.engine import FixedEngine

    opened = open_source(source, device=device, realtime=True)
    engine = open_board(board, model, standby=FixedEngine, baud=baud, paced=pace, progress=note_progress)
    try:
        Monitor(opened, engine, as_json).run(seconds, every)
    finally:
        engine.close()
