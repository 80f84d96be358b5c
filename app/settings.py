"""What the window remembers: one versioned JSON file in the user's configuration folder.

Loading never fails: a file that cannot be read is kept beside as ``settings.json.bad`` and the defaults are used;
saving never raises: it returns one sentence for the window to show. To add something that the user can set, add a
field with ``preference``: the dialog, the checks and export and import follow.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray

from app.preferences import preference, preferences_of
from app.zoom import PITCHES
from kwscore.errors import KWScopeError
from kwscore.files import beside, writing
from kwscore.stream.detection import DetectionSettings

VERSION = 1
EXPORT_KEY = "kwscope_settings"
FILE = "settings.json"
OVERRIDE = "KWSCOPE_CONFIG_DIR"


@dataclass(slots=True)
class Settings:
    """What is kept. ``source``: ``mic:HOST API: DEVICE``, ``demo``, ``file:PATH`` or empty (not chosen yet).
    ``geometry`` and ``layout`` are Qt's own states in base64. ``detection``: the fields of ``DetectionSettings`` by
    name; missing ones take its defaults. ``toured``: the tour was taken or declined."""

    theme: str = preference(
        "auto",
        "Appearance",
        "Colours",
        "Automatic follows the desktop. High contrast has text of at least 7 to 1 and stronger lines.",
        choices=(("auto", "Automatic"), ("light", "Light"), ("dark", "Dark"), ("contrast", "High contrast")),
    )
    text_percent: int = preference(
        100,
        "Appearance",
        "Text size",
        "Size of all text in the window, at once.",
        low=90,
        high=200,
        step=10,
        unit="%",
    )
    scale_percent: int = preference(
        100,
        "Appearance",
        "Size of everything",
        "Text, plots and controls together, from the next start. QT_SCALE_FACTOR in the environment comes first.",
        low=75,
        high=300,
        step=25,
        unit="%",
    )
    pitch: int = preference(
        2,
        "Appearance",
        "Time scale",
        "Pixels for each hop of 10 ms: more show fewer seconds, wider (Ctrl + and Ctrl −).",
        choices=tuple((pitch, f"{pitch} px, {100 * pitch} px a second") for pitch in PITCHES),
    )
    captions: bool = preference(
        False,
        "Appearance",
        "Captions",
        "One line under each panel that says what to look for in it right now (I).",
    )
    frame_rate: int = preference(
        30,
        "Appearance",
        "Frames per second",
        "How often the window is painted. Fewer save work on a slow machine; what the network hears does not change.",
        choices=((30, "30"), (15, "15"), (10, "10")),
    )
    autostart: bool = preference(
        True,
        "Listening",
        "Listen from the start",
        "Begin to listen to the last source when the window opens. Off: wait for Start (Space).",
    )
    noise_folder: str = preference(
        "",
        "Listening",
        "Folder of noise recordings",
        "Its recordings are offered as noise beside the five that come with KWScope.",
        folder=True,
    )
    calibration_seconds: int = preference(
        2,
        "Listening",
        "Silence for calibration",
        "How long to keep quiet when the noise is measured (K).",
        low=1,
        high=10,
        unit="s",
    )
    calibration_law: str = preference(
        "continuous",
        "Listening",
        "Law of calibration",
        "How the networks' constants follow the measured SNR, both as published.",
        choices=(("continuous", "Continuous"), ("profile", "Nearest of four profiles")),
    )
    pre_roll: int = preference(
        5,
        "Recording",
        "Seconds before the button",
        "So much of what was heard before Record was pressed is recorded too.",
        high=60,
        unit="s",
    )
    record_detail: str = preference(
        "full",
        "Recording",
        "Detail",
        "Brief leaves out what replaying computes again: bands, routing and step sizes. It takes a third of the room.",
        choices=(("full", "Everything"), ("brief", "Brief")),
    )
    recordings: str = preference(
        "", "Recording", "Folder", "Where recordings go. Empty: KWScope in your documents.", folder=True
    )
    source: str = ""
    model: str = ""
    board: str = ""
    geometry: str = ""
    layout: str = ""
    folder: str = ""
    toured: bool = False
    detection: dict[str, Any] = field(default_factory=dict)


PREFERENCES = preferences_of(Settings)
CARRIED = ("layout", "detection")
"""What an exported file carries besides the preferences: nothing that names a device, a file or a place on a screen."""


def encode_state(state: QByteArray) -> str:
    """A state of Qt's as text."""
    return base64.b64encode(state.data()).decode("ascii")


def decode_state(text: str) -> QByteArray:
    """Inverse of ``encode_state``; empty where the text is none."""
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except ValueError:
        return QByteArray()


def config_folder() -> Path:
    """``KWSCOPE_CONFIG_DIR`` or the platform's folder for settings."""
    override = os.environ.get(OVERRIDE)
    if override:
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_config_dir("kwscope", appauthor=False))


def load(folder: Path | None = None) -> tuple[Settings, str]:
    """The remembered settings, and a sentence when something was wrong with them (else empty)."""
    path = (folder or config_folder()) / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Settings(), ""  # whether a folder can be made there is for probe to say
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), _set_aside(path, f"could not be read ({_reason(error)})")
    try:
        return _parse(json.loads(text))
    except _FromTheFuture as error:
        return (
            Settings(),
            f"{path} was written by a newer KWScope (version {error}); using defaults, the file is left alone.",
        )
    except (ValueError, TypeError, RecursionError):
        return Settings(), _set_aside(path, "is damaged")


class _FromTheFuture(Exception):
    """The file's version is higher than ours."""


def _parse(data: object) -> tuple[Settings, str]:
    if not isinstance(data, dict):
        raise TypeError("not an object")
    version = data.get("version")
    if not isinstance(version, int) or version < 1:
        raise ValueError("no version")
    if version > VERSION:
        raise _FromTheFuture(version)
    settings = Settings()
    for each in fields(Settings):
        if each.name in data:
            value = data[each.name]
            if type(value) is not type(getattr(settings, each.name)):
                raise TypeError(each.name)
            setattr(settings, each.name, value)
    return settings, " ".join(_correct(settings))


def _correct(settings: Settings) -> list[str]:
    """Give preferences that are out of range their defaults; a sentence for each."""
    said = []
    for row in PREFERENCES:
        try:
            row.check(getattr(settings, row.name))
        except KWScopeError as error:
            setattr(settings, row.name, row.default)
            said.append(f"A remembered setting does not fit and has its default again ({str(error).rstrip('.')}).")
    return said


def export(settings: Settings, path: Path) -> None:
    """Write the preferences, the layout and the detection settings as a file for ``read_export``, beside and renamed.
    Raises KWScopeError when it cannot be written."""
    kept = {name: getattr(settings, name) for name in (*(row.name for row in PREFERENCES), *CARRIED)}
    with writing(path) as part:
        part.write_text(json.dumps({EXPORT_KEY: VERSION, **kept}, indent=1) + "\n", encoding="utf-8")


def read_export(path: Path) -> dict[str, Any]:
    """What an exported file sets, checked: names of fields and their values. Raises KWScopeError that names the file
    and what is wrong with it; nothing is to be applied then."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KWScopeError(f"{path} cannot be read ({_reason(error)}): choose another file.") from error
    except (ValueError, RecursionError) as error:
        raise KWScopeError(f"{path} is not a settings file (no JSON): choose one that KWScope exported.") from error
    version = data.pop(EXPORT_KEY, None) if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise KWScopeError(f"{path} is not a settings file of KWScope: choose one that it exported.")
    if version > VERSION:
        raise KWScopeError(f"{path} was exported by a newer KWScope (version {version}): update this one.")
    rows, values = {row.name: row for row in PREFERENCES}, {}
    for name, value in data.items():
        try:
            values[name] = rows[name].check(value) if name in rows else _check_carried(name, value)
        except KWScopeError as error:
            raise KWScopeError(f"{path}: {error}") from error
    return values


def _check_carried(name: str, value: object) -> object:
    if name == "layout" and isinstance(value, str):
        return value
    if name == "detection" and isinstance(value, dict):
        try:
            return DetectionSettings.from_dict(value).to_dict()
        except (TypeError, AttributeError) as error:
            raise KWScopeError(f"detection = {value!r} holds no detection settings.") from error
    known = ", ".join((*(row.name for row in PREFERENCES), *CARRIED))
    raise KWScopeError(f"{name} = {value!r} is no setting that a file can carry: use {known}.")


def _set_aside(path: Path, what: str) -> str:
    bad = path.with_name(path.name + ".bad")
    try:
        path.replace(bad)
    except OSError as error:
        return f"The settings file {path} {what} and could not be moved away ({_reason(error)}); using defaults."
    return f"The settings file {what}; it is kept as {bad} and defaults are used."


def save(settings: Settings, folder: Path | None = None) -> str:
    """Write beside and rename; return an empty string, or a sentence that says why nothing was saved."""
    where = folder or config_folder()
    path = where / FILE
    try:
        where.mkdir(parents=True, exist_ok=True)
        if _newer(path):
            return f"{path} belongs to a newer KWScope; settings are not saved."
        with beside(path) as part:
            part.write_text(json.dumps({"version": VERSION, **asdict(settings)}, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        return _cannot(where, error)
    return ""


def probe(folder: Path | None = None) -> str:
    """Whether ``save`` could write: an empty string or its sentence, known at the start rather than at the end."""
    where = folder or config_folder()
    part = where / (FILE + ".part")
    try:
        where.mkdir(parents=True, exist_ok=True)
        part.write_text("")
        part.unlink()
    except OSError as error:
        return _cannot(where, error)
    return ""


def _cannot(where: Path, error: OSError) -> str:
    return f"Settings cannot be saved in {where} ({_reason(error)}); set {OVERRIDE} to a folder you can write to."


def _newer(path: Path) -> bool:
    """Whether the file there was written by a later version, whose settings we must not destroy."""
    try:
        return int(json.loads(path.read_text(encoding="utf-8")).get("version", 0)) > VERSION
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
