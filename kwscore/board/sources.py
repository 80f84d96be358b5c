"""Where the hardware description is, and what identifies it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from kwscore.board.errors import BoardError

_PARTS = (("core", "*.v"), ("link", "*.v"), ("link", "*.vh"), ("top", "nm_device.v"), ("mem", "*"))
"""What a device consists of; the shells of single boards are not in it."""


def rtl_folder() -> Path:
    """The folder ``rtl`` of the source tree. Raises BoardError where KWScope was installed without it."""
    folder = Path(__file__).resolve().parents[2] / "rtl"
    if not (folder / "top" / "nm_device.v").is_file():
        raise BoardError(
            "The hardware description (folder rtl) is not part of this installation: run KWScope from its source tree, "
            "or use the board sim."
        )
    return folder


def device_sources() -> list[Path]:
    """Everything that ``nm_device`` is made of, in a fixed order."""
    folder = rtl_folder()
    return [path for part, pattern in _PARTS for path in sorted((folder / part).glob(pattern)) if path.is_file()]


def build_id() -> bytes:
    """What a device made from these sources calls its build: 8 bytes of the SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for path in device_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()[:8]


def rtl_module(name: str) -> Any:
    """A Python module of the source tree's ``rtl``, for instance ``tools.generate``. Raises BoardError without it."""
    folder = rtl_folder()
    if "rtl" not in sys.modules:  # it is not an installed package
        spec = importlib.util.spec_from_file_location(
            "rtl", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules["rtl"] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"rtl.{name}")
