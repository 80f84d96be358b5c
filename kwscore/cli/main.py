"""The command line: ``kwscope`` opens the window, its sub-commands work without one.

A sub-command is one file in this folder with one function, and one line in ``_commands`` below.
Modules here import only light things at the top; what is heavy is imported where it is used, so that
``--help`` and wrong use answer at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kwscore import __version__
from kwscore.cli import (
    bench,
    board,
    calibrate,
    classify,
    data,
    desktop,
    devices,
    evaluate,
    experiment,
    export,
    listen,
    models,
    reproduce,
    session,
    soak,
    train,
    window,
)
from kwscore.errors import KWScopeError
from kwscore.session.container import SUFFIX

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


class _Group(TyperGroup):
    """Turns expected failures into one line on stderr and an exit status; never a traceback for bad input."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """``kwscope FILE.kwsession`` opens the window on a session: what a double click in a file manager runs."""
        if args and args[0].lower().endswith(SUFFIX):
            args = ["--source", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a closed pipe can still be answered
            return result
        except KWScopeError as error:
            _complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except OSError as error:
            raise typer.Exit(_output_failed(error)) from None


app = typer.Typer(
    name="kwscope",
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: narrow terminals, pipes, and flags that show that they take no value
    add_completion=False,
    epilog="Exit status: 0 done, 1 the answer is no, 2 wrong use or bad input, 130 interrupted.",
)


def _commands() -> None:
    """Register every sub-command: one line each, in the order that --help shows."""
    app.command()(listen.listen)
    app.command(short_help="Measure a silence, or whether calibration helps.")(calibrate.calibrate)
    app.command()(classify.classify)
    app.command()(models.models)
    app.command()(devices.devices)
    app.command()(bench.bench)
    app.command(short_help="Measure the window under load.")(soak.soak)
    app.command(short_help="Train a network on Speech Commands.")(train.train)
    app.command(short_help="Train a teacher for --teacher.")(train.train_teacher)
    app.command(short_help="Accuracy in every condition.")(evaluate.evaluate)
    app.command(short_help="Compare with the recorded and published figures.")(reproduce.reproduce)
    app.add_typer(session.app, name="session")
    app.add_typer(experiment.app, name="experiment")
    app.add_typer(data.app, name="data")
    app.add_typer(export.app, name="export")
    app.command(short_help="KWScope in the menu of the desktop.")(desktop.install_desktop)
    app.add_typer(board.app, name="board")


@app.callback(invoke_without_command=True)
def _window(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Option(metavar="mic|demo|FILE", help="What to hear; default: what was used last.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME|PATH", help="Network to run.")] = None,
    screenshot: Annotated[
        str | None, typer.Option(metavar="PNG", help="Leave a picture of the window here on closing.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Close after so many seconds.")] = None,
    preset: Annotated[window.Preset | None, typer.Option(help="Layout of the panels.")] = None,
    theme: Annotated[window.Theme | None, typer.Option(help="Colours.")] = None,
    board: Annotated[
        str | None, typer.Option(metavar="sim|rtl|PORT", help="FPGA board to run beside the integer engine.")
    ] = None,
    baud: Annotated[int | None, typer.Option(help="Rate of a board's line in bit/s; default: 1000000.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """See what a five-thousand-parameter network hears, and why it decides.

    Without a command this opens the window; with one it works in the terminal.
    """
    if version:
        print(f"kwscope {__version__}")
        raise typer.Exit
    given = {
        "--source": source, "--model": model, "--screenshot": screenshot, "--seconds": seconds, "--preset": preset,
        "--theme": theme, "--board": board, "--baud": baud,
    }  # fmt: skip
    if ctx.invoked_subcommand is not None:
        for option, value in given.items():
            if value is not None:
                raise typer.BadParameter(f"{option} before '{ctx.invoked_subcommand}' has no effect: put it after.")
        return
    raise typer.Exit(window.open_window(source, model, screenshot, seconds, theme, preset, board, baud))


def _complain(sentence: str) -> None:
    print(f"kwscope: {sentence}", file=sys.stderr, flush=True)


def _output_failed(error: OSError) -> int:
    """Exit status for a full disk or a closed pipe; a closed pipe is no failure and says nothing."""
    if isinstance(error, BrokenPipeError):
        return EXIT_BROKEN_PIPE
    _complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    return 2


_commands()


def main() -> None:
    """Entry point of the ``kwscope`` program."""
    atexit.register(gc.freeze)  # else the last collection visits every object: half a second at a window's end
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (lives until exit)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    status: Any = 0
    try:
        app(prog_name="kwscope")
    except SystemExit as ended:
        status = ended.code
    except OSError as error:  # --help and usage errors do not pass through _Group.invoke
        status = _output_failed(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        status = status or _output_failed(error)
        # The interpreter flushes once more at exit: point stdout at nothing, so that this cannot fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)
