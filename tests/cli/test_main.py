"""The frame of the command line: exit status, clean streams, no traceback, a quick answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kwscore.cli import main as cli
from kwscore.cli import window
from kwscore.errors import KWScopeError

runner = CliRunner()


def kwscope(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The program as the shell runs it."""
    return subprocess.run([sys.executable, "-m", "kwscore", *arguments], capture_output=True, timeout=60)


def failing_app(error: BaseException) -> typer.Typer:
    """A program of the same kind whose only command fails."""
    app = typer.Typer(cls=cli._Group, pretty_exceptions_enable=False)

    @app.callback()
    def _() -> None: ...

    @app.command()
    def fail() -> None:
        raise error

    return app


class SpecialError(KWScopeError):
    exit_code = 7


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KWScopeError("a.wav is empty: give another."), 2, "kwscope: a.wav is empty: give another.\n"),
        (SpecialError("No."), 7, "kwscope: No.\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (OSError(28, "No space left on device", "out.json"), 2, "kwscope: out.json: No space left on device\n"),
    ],
)
def test_failures_become_a_status_and_a_sentence(error: BaseException, status: int, message: str) -> None:
    result = runner.invoke(failing_app(error), ["fail"])
    assert (result.exit_code, result.stderr) == (status, message)


def test_a_bug_is_not_dressed_up() -> None:
    assert isinstance(runner.invoke(failing_app(ZeroDivisionError()), ["fail"]).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments",
    [["--nonsense"], ["nonsense"], ["--seconds", "0"], ["--seconds", "x"], ["classify"], ["--theme", "pink"]],
)
def test_wrong_use_is_two(arguments: list[str]) -> None:
    result = runner.invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_every_command_explains_itself() -> None:
    listing = runner.invoke(cli.app, ["--help"])
    assert listing.exit_code == 0
    names = set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
    assert names >= {"listen", "classify", "models", "devices", "bench", "train", "evaluate"}
    for name in names:
        assert f" {name} " in listing.stdout
        assert runner.invoke(cli.app, [name, "-h"]).exit_code == 0


def test_window_options_before_a_command_are_refused() -> None:
    result = runner.invoke(cli.app, ["--source", "demo", "devices"])
    assert result.exit_code == 2
    assert "--source" in result.stderr


def test_version() -> None:
    done = kwscope("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(b"kwscope ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_full_disk_is_one_line(argument: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "kwscore", argument], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"kwscope: No space left on device\n"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_closed_pipe_is_silent(argument: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "kwscore", argument], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.returncode in (1, 141)
    assert done.stderr == b""


def test_closed_stdout_is_no_traceback() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m kwscore --version >&-', sys.executable], stderr=subprocess.PIPE, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr == b""


class TestScreen:
    @pytest.fixture(autouse=True)
    def _no_screen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(sys, "platform", "linux")

    def test_none_is_said(self) -> None:
        assert "no screen" in window.no_screen()

    def test_a_platform_that_was_chosen_is_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
        assert window.no_screen() == ""

    def test_other_systems_have_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        assert window.no_screen() == ""

    def test_dead_x_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISPLAY", ":987")
        assert "does not answer" in window.no_screen()

    def test_wayland_is_judged_by_its_socket(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
        assert "does not answer" in window.no_screen()
        (tmp_path / "wayland-0").touch()
        assert window.no_screen() == ""

    def test_missing_x_library_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: str) -> None:
            raise OSError("libxcb-cursor.so.0: cannot open shared object file")

        window.check_x_libraries()  # no X11, nothing to check
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(window.ctypes, "CDLL", fail)
        with pytest.raises(KWScopeError, match="libxcb-cursor"):
            window.check_x_libraries()

    def test_picture_goes_where_it_can_be_written(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        assert window.picture_path() == tmp_path / window.HEADLESS_PICTURE
        monkeypatch.setattr(os, "access", lambda *_: False)
        assert window.picture_path().parent != tmp_path

    def test_unwritable_picture_is_refused_before_anything_opens(self) -> None:
        result = runner.invoke(cli.app, ["--screenshot", "/no/such/folder/x.png"])
        assert result.exit_code == 2
        assert "/no/such/folder" in result.stderr
