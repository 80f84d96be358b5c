"""One network for the FPGA: its memory image, and the memories and constants that the hardware description includes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kwscore.board.sources import rtl_module
from kwscore.errors import KWScopeError
from kwscore.files import make_folder, writing
from kwscore.fixed.calibrate import load_image
from kwscore.fixed.image import SUFFIX, Image


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the image and its file, and the files for the hardware description."""

    image: Image
    path: Path
    rtl: tuple[Path, ...]


def export_fpga(
    name: str | Path,
    folder: str | Path,
    *,
    image_only: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Exported:
    """Quantise a network (name, checkpoint, or an image made before) and write it into ``folder``, made if absent.

    Writes NAME.kwsf, and unless ``image_only`` the .mem and .vh files that ``rtl/`` includes, weights in place. The
    same checkpoint gives the same bytes everywhere. Each file is written beside and renamed. Raises KWScopeError for a
    network that does not fit the datapath or, unless ``image_only``, the core's program.
    """
    image = load_image(name, fresh=True, progress=progress)
    files = {} if image_only else _rtl_files(image)
    folder = Path(folder)
    make_folder(folder)
    path = image.save(folder / f"{image.name}{SUFFIX}")
    return Exported(image, path, tuple(write_files(files, folder)))


def _rtl_files(image: Image) -> dict[str, str]:
    try:
        files: dict[str, str] = rtl_module("tools.generate").files(image)
    except ValueError as error:  # the assembler's, in its own words
        raise KWScopeError(
            f"{image.name} does not fit the core in rtl/ ({error}): write its image alone with --image-only."
        ) from error
    return files


def write_files(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write text files, each beside and renamed. Raises KWScopeError where that is not possible."""
    written = []
    for name, text in files.items():
        with writing(folder / name) as part:
            part.write_text(text, encoding="ascii")
        written.append(folder / name)
    return written
