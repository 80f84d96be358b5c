"""Where recordings lie, what they are called, and how much room there is."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from kwscore.errors import KWScopeError
from kwscore.session.container import SUFFIX

OVERRIDE = "KWSCOPE_RECORDINGS_DIR"


def standard_folder() -> Path:
    """``KWSCOPE_RECORDINGS_DIR``, or KWScope in the user's documents."""
    override = os.environ.get(OVERRIDE)
    if override:
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_documents_dir()) / "KWScope"


def new_path(folder: Path, prefix: str = "session") -> Path:
    """A name for a recording that begins now, which no file has yet. Makes the folder. Raises KWScopeError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise KWScopeError(
            f"The folder for recordings {folder} cannot be made ({error.strerror or error}): choose another one."
        ) from error
    if not writable:
        raise KWScopeError(f"The folder for recordings {folder} cannot be written to: choose another one.")
    stem = f"{prefix}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (folder / f"{stem}{'' if n == 1 else f'-{n}'}{SUFFIX}" for n in range(1, 10_000))
    return next(path for path in names if not path.exists())


def free_bytes(folder: Path) -> int:
    """Room on the disk of an existing folder."""
    return shutil.disk_usage(folder).free
