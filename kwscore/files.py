"""Files are written beside their place and renamed, so that nobody ever finds half of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kwscore.errors import KWScopeError

ANOTHER_FOLDER = "choose another folder"


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` when the block ends well, and is gone when it does not.

    Raises what the block raises, and OSError where the file cannot be renamed.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, remedy: str = ANOTHER_FOLDER, *, parents: bool = False) -> Iterator[Path]:
    """As ``beside``, but where the file cannot be written it raises KWScopeError: its name, why, and ``remedy``.

    ``parents``: make the folders that are missing.
    """
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        with beside(path) as part:
            yield part
    except OSError as error:
        raise KWScopeError(f"{path} cannot be written ({error.strerror or error}): {remedy}.") from error


def make_folder(folder: Path, remedy: str = ANOTHER_FOLDER) -> None:
    """Make ``folder`` where it is missing. Raises KWScopeError: its name, why it cannot be made, and ``remedy``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KWScopeError(f"The folder {folder} cannot be made ({error.strerror or error}): {remedy}.") from error
