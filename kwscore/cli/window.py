"""Opening the window from the command line, with a screen or without."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import tempfile
from enum import StrEnum
from pathlib import Path

from kwscore.errors import KWScopeError

HEADLESS_SECONDS = 30.0
HEADLESS_PICTURE = "kwscope-window.png"


class Theme(StrEnum):
    """Colours of the window."""

    auto = "auto"
    light = "light"
    dark = "dark"
    contrast = "contrast"


class Preset(StrEnum):
    """Layout of the panels (``app.presets``)."""

    standard = "standard"
    researcher = "researcher"
    fpga = "fpga"
    booth = "booth"


def no_screen() -> str:
    """Why no window can be shown, as the start of a sentence; empty when one can.

    Qt ends the whole process when it finds no screen, so this looks first.
    """
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    display, wayland = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if wayland and (Path(os.environ.get("XDG_RUNTIME_DIR", "")) / wayland).exists():
        return ""
    if display:
        return "" if _x_answers() else f"The screen {display} (DISPLAY) does not answer"
    if wayland:
        return f"The screen {wayland} (WAYLAND_DISPLAY) does not answer"
    return "There is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)"


def _x_answers() -> bool:
    """Whether the X server named by DISPLAY accepts a connection."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # cannot tell: let Qt say what is missing
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not failed


def check_x_libraries() -> None:
    """Raise KWScopeError naming the library that Qt lacks for X11; Qt itself would end the process.

    Nothing to check where Wayland, another platform or another build of Qt is used.
    """
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM") or not os.environ.get("DISPLAY"):
        return
    if os.environ.get("WAYLAND_DISPLAY"):
        return
    spec = importlib.util.find_spec("PySide6")
    folders = spec.submodule_search_locations if spec else None
    plugin = Path(folders[0]) / "Qt/plugins/platforms/libqxcb.so" if folders else None
    if plugin is None or not plugin.exists():
        return
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        raise KWScopeError(
            f"Qt cannot use this screen ({error}): install the missing library; ./run names its package"
        ) from error


def _check_microphone() -> None:
    from kwscore.audio.devices import list_devices

    if not list_devices():
        raise KWScopeError("No microphone was found: connect one, or use --source demo or a file")


def picture_path() -> Path:
    """Where the picture of a window without a screen goes: here if this folder is writable, else the temporary one."""
    here = Path.cwd()
    return (here if os.access(here, os.W_OK) else Path(tempfile.gettempdir())) / HEADLESS_PICTURE


def open_window(
    source: str | None,
    model: str | None,
    screenshot: str | None,
    seconds: float | None,
    theme: Theme | None,
    preset: Preset | None = None,
    board: str | None = None,
    baud: int | None = None,
) -> int:
    """Open the window and return its exit status.

    Without a screen it says so, and does the same on the demo playlist (or the given source) into a picture.
    Raises KWScopeError when the source, network, picture's folder or ``baud`` cannot be used.
    """
    if baud is not None:
        from kwscore.board.handshake import check_baud

        check_baud(baud)
    reason = no_screen()
    if reason:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        source = source or "demo"
        screenshot = screenshot or str(picture_path())
        seconds = seconds or HEADLESS_SECONDS
        if source == "mic":
            _check_microphone()  # with nobody there to see the window's message it would only wait
        print(f"{reason}: working without one for {seconds:g} s on {source}.", file=sys.stderr, flush=True)
    else:
        check_x_libraries()
    if screenshot is not None:
        folder = Path(screenshot).resolve().parent
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise KWScopeError(f"--screenshot {screenshot}: {folder} is not a folder that can be written to")
    try:
        from app.main import run
    except ImportError as error:
        raise KWScopeError(f"The window needs Qt, which does not load here ({error}); ./run installs it") from error
    status = run(
        source=source,
        model=model,
        screenshot=screenshot,
        seconds=seconds,
        theme=theme.value if theme else None,
        preset=preset.value if preset else None,
        board=board,
        baud=baud,
    )
    if screenshot is not None and Path(screenshot).exists():
        print(f"Picture of the window: {Path(screenshot).resolve()}")
    return status
