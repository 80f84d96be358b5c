"""What the window remembers: one versioned JSON file in the user's configuration folder.

Loading never fails: a file that cannot be read is kept beside as ``settings.json.bad`` and the defaults are used;
saving never raises: it returns one sentence for the window to show.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

VERSION = 1
FILE = "settings.json"
OVERRIDE = "KWSCOPE_CONFIG_DIR"


@dataclass(slots=True)
class Settings:
    """What is kept. ``source``: ``mic:HOST API: DEVICE``, ``demo``, ``file:PATH`` or empty (not chosen yet).
    ``geometry`` and ``layout`` are Qt's own states in base64. ``detection``: the fields of ``DetectionSettings`` by
    name; missing ones take its defaults. ``pitch``: device-independent pixels a column."""

    theme: str = "auto"
    source: str = ""
    model: str = ""
    pitch: int = 2
    geometry: str = ""
    layout: str = ""
    folder: str = ""
    detection: dict[str, Any] = field(default_factory=dict)


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
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), _set_aside(path, f"could not be read ({_reason(error)})")
    try:
        return _parse(json.loads(text)), ""
    except _FromTheFuture as error:
        return (
            Settings(),
            f"{path} was written by a newer KWScope (version {error}); using defaults, the file is left alone.",
        )
    except (ValueError, TypeError, RecursionError):
        return Settings(), _set_aside(path, "is damaged")


class _FromTheFuture(Exception):
    """The file's version is higher than ours."""


def _parse(data: object) -> Settings:
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
    return settings


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
    beside = where / (FILE + ".part")
    try:
        where.mkdir(parents=True, exist_ok=True)
        if _newer(path):
            return f"{path} belongs to a newer KWScope; settings are not saved."
        beside.write_text(json.dumps({"version": VERSION, **asdict(settings)}, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        return _cannot(where, error)
    return ""


def probe(folder: Path | None = None) -> str:
    """Whether ``save`` could write: an empty string or its sentence, known at the start rather than at the end."""
    where = folder or config_folder()
    beside = where / (FILE + ".part")
    try:
        where.mkdir(parents=True, exist_ok=True)
        beside.write_text("")
        beside.unlink()
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
