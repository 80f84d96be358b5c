"""``kwscope install-desktop``: KWScope among the applications of the desktop, with its icon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from kwscore.errors import KWScopeError
from kwscore.files import beside
from kwscore.resources import resource

ENTRY = Path("applications", "kwscope.desktop")
SCALABLE = Path("icons", "hicolor", "scalable", "apps", "kwscope.svg")


def data_home() -> Path:
    """The user's folder for application data (XDG base directories)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def install_desktop(
    remove: Annotated[bool, typer.Option("--remove", help="Take it away again.")] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Data folder; default: $XDG_DATA_HOME or ~/.local/share.")
    ] = None,
) -> None:
    """Put KWScope and its icon into the menu of a Linux desktop, for this user."""
    if sys.platform != "linux":
        raise KWScopeError("Desktop entries are for Linux desktops: make a shortcut to the program kwscope instead.")
    where = folder or data_home()
    try:
        paths = _remove(where) if remove else _install(where)
    except OSError as error:
        raise KWScopeError(
            f"{error.filename or where} cannot be written ({error.strerror or error}): give another --folder."
        ) from error
    _refresh(where)
    for path in paths:
        print(path)


def _files() -> dict[Path, Path]:
    """Where each picture goes, below the data folder, and what it is made from."""
    icons = resource("assets", "icons")
    found = {SCALABLE: resource("assets", "icon.svg")}
    for path in sorted(icons.glob("kwscope-*.png")):
        size = path.stem.partition("-")[2]
        found[Path("icons", "hicolor", f"{size}x{size}", "apps", "kwscope.png")] = path
    return found


def _install(where: Path) -> list[Path]:
    entry = resource("assets", "kwscope.desktop")
    if not entry.is_file():
        raise KWScopeError(f"{entry} is missing: install KWScope again.")
    lines = entry.read_text(encoding="utf-8").splitlines()
    text = "\n".join(f"Exec={command_line()}" if line.startswith("Exec=") else line for line in lines) + "\n"
    made = []
    for target, source in _files().items():
        _write(where / target, source.read_bytes())
        made.append(where / target)
    _write(where / ENTRY, text.encode("utf-8"))
    return [*made, where / ENTRY]


def _remove(where: Path) -> list[Path]:
    gone = []
    for target in (*_files(), ENTRY):
        path = where / target
        if path.exists():
            path.unlink()
            gone.append(path)
    return gone


def command_line() -> str:
    """What starts this very installation, quoted as desktop entries want it."""
    program = Path(sys.executable).parent / "kwscope"
    words = [str(program)] if program.is_file() else [sys.executable, "-m", "kwscore"]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """One argument of an Exec line (Desktop Entry Specification 1.5, "The Exec key")."""
    word = word.replace("%", "%%")
    if not any(sign in word for sign in " \t\n\"'\\><~|&;$*?#()`"):
        return word
    for sign in ("\\", '"', "`", "$"):
        word = word.replace(sign, "\\" + sign)
    return '"' + word.replace("\\", "\\\\") + '"'  # the file's own escape on top


def _write(path: Path, content: bytes) -> None:
    """Beside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as part:
        part.write_bytes(content)


def _refresh(where: Path) -> None:
    """Tell the desktop, where its tools are there; without them it notices by itself, later."""
    for tool, *arguments in (
        ("update-desktop-database", "-q", str(where / "applications")),
        ("gtk-update-icon-cache", "-q", "-t", str(where / "icons" / "hicolor")),
    ):
        if shutil.which(tool):
            subprocess.run([tool, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
