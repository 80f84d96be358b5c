"""The guide says what is true: its pictures exist and are small, its keys and settings are those of the window."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app import pictures
from app.commands import COMMANDS
from app.preferences import Preference
from app.settings import PREFERENCES
from kwscore.resources import resource

MENUS = {"Ctrl+1", "Ctrl+9", "Tab"}  # keys that are no command


@pytest.fixture(scope="module")
def guide(repository: Path) -> str:
    return (repository / "docs" / "guide.md").read_text(encoding="utf-8")


def test_every_picture_is_there_and_small(repository: Path, guide: str) -> None:
    shown = set(re.findall(r"\]\(pictures/(\w+)\.png\)", guide))
    assert shown <= {picture.name for picture in pictures.PICTURES}
    for name in shown:
        path = repository / "docs" / "pictures" / f"{name}.png"
        assert 10_000 < path.stat().st_size < pictures.LIMIT
        assert not QImage(str(path)).isNull()


def test_links_lead_somewhere(repository: Path, guide: str) -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in guide.splitlines()
        if line[:1] == "#"
    }
    for link in re.findall(r"\]\(([^)]+)\)", guide):
        if link.startswith("#"):
            assert link[1:] in headings, link
        else:
            assert (repository / "docs" / link).exists(), link


def test_keys_of_the_guide_are_keys_of_the_window(guide: str) -> None:
    names = {"Page Up": "PgUp", "Esc": "Escape"}
    known = {key for command in COMMANDS for key in command.keys} | MENUS
    for key in re.findall(r"`((?:Ctrl\+|Shift\+)*(?:[A-Z]|F\d+|,|Tab|Space|Esc|End|Page Up|[\[\]+-]|\d))`", guide):
        assert names.get(key, key) in known, key


@pytest.mark.parametrize("row", [row for row in PREFERENCES if row.group == "Appearance"], ids=lambda row: row.name)
def test_the_guide_lists_the_settings(guide: str, row: Preference) -> None:
    assert f"| {row.label} |" in guide


def test_messages_of_the_guide_are_messages_of_the_program(repository: Path, guide: str) -> None:
    table = guide[guide.index("| it says |") : guide.index("`./run devices`")]
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("app", "kwscore/audio")
        for path in (repository / folder).rglob("*.py")
    )
    for said in re.findall(r"\*([^*]+)\*", table):
        for part in said.replace("6 s", "").split("…"):
            assert part.strip() in sources, said


@pytest.mark.parametrize("size", [16, 256])
def test_the_icons_are_drawn_from_the_drawing(qapp: object, size: int) -> None:
    def pixels(image: QImage) -> np.ndarray:
        image = image.convertToFormat(QImage.Format.Format_ARGB32)
        return np.frombuffer(image.constBits(), np.uint8).reshape(size, size, 4).astype(int)

    kept = QImage(str(resource("assets", "icons", f"kwscope-{size}.png")))
    fresh = QImage.fromData(pictures.draw_icon(size))
    assert (kept.width(), kept.height()) == (size, size)
    assert np.abs(pixels(kept) - pixels(fresh)).mean() < 1


def test_reduced_pictures_look_the_same(qapp: object) -> None:
    """Flat colours stay as they are; a gradient is off by little."""
    values = np.full((64, 255), 0xFFC2410C, np.uint32)
    ramp = np.arange(255, dtype=np.uint32)
    values[32:] = 0xFF000000 | (ramp << 16) | (ramp[::-1] << 8) | np.arange(32, dtype=np.uint32)[:, None]
    image = QImage(values.tobytes(), 255, 64, 255 * 4, QImage.Format.Format_RGB32)
    few = pictures._reduced(image).convertToFormat(QImage.Format.Format_RGB32)
    back = np.frombuffer(few.constBits(), np.uint32).reshape(64, 255)
    assert (back[:32] == 0xFFC2410C).all()
    for shift in (0, 8, 16):
        error = ((back >> shift) & 0xFF).astype(int) - ((values >> shift) & 0xFF).astype(int)
        assert np.abs(error).mean() < 8
