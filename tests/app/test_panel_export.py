"""Every panel has a picture of its own: lines and text as SVG, twice the size as PNG."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QEnterEvent, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QGraphicsView, QMenu

from app import settings as store
from app.catalogue import PANELS
from app.panel_export import PNG, SVG, PanelPictures
from app.panels.timepanel import AXIS
from app.sources import DEMO, Choice
from app.theme import DARK, LIGHT
from app.window import MainWindow
from tests.app.conftest import OpenWindow

NAMESPACE = "{http://www.w3.org/2000/svg}"
LINES = {NAMESPACE + name for name in ("path", "polygon", "polyline", "rect", "line")}


def pictures(window: MainWindow) -> PanelPictures:
    return next(feature for feature in window.features if isinstance(feature, PanelPictures))


@pytest.fixture
def heard(open_window: OpenWindow, sound: Path, qtbot) -> MainWindow:
    """A window that has heard two bursts."""
    window = open_window(Choice("file", str(sound)), store.Settings(theme="light", toured=True))
    window.controller.start()
    qtbot.waitUntil(lambda: window.feed.end > 250)
    return window


def texts(root: ElementTree.Element) -> list[str]:
    return [(node.text or "").strip() for node in root.iter(NAMESPACE + "text")]


def show(window: MainWindow, key: str, qtbot) -> None:
    window.toggle_dock(key, True)
    window.docks[key].raise_()
    qtbot.waitUntil(lambda: not window.docks[key].widget().visibleRegion().isEmpty())
    window.tick()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_panel_of_the_window_has_both_pictures(heard: MainWindow, tmp_path: Path, theme: str, qtbot) -> None:
    heard.set_preference("theme", theme)
    for spec in PANELS:
        show(heard, spec.key, qtbot)
        panel, title = heard.docks[spec.key].widget(), heard.panels[spec.key].title
        drawn, pixels = tmp_path / f"{spec.key}.svg", tmp_path / f"{spec.key}.png"
        assert pictures(heard).save(spec.key, drawn), spec.key
        assert pictures(heard).save(spec.key, pixels), spec.key

        root = ElementTree.parse(drawn).getroot()
        assert root.tag == f"{NAMESPACE}svg"
        assert root.findtext(f"{NAMESPACE}title") == title
        found = texts(root)
        assert title.partition(":")[0] in " ".join(found), f"{spec.key}: the title is text"
        assert len(found) >= 3, f"{spec.key}: {found}"
        assert sum(node.tag in LINES for node in root.iter()) >= 2, spec.key
        assert heard.theme.surface.lower() in drawn.read_text(encoding="utf-8")

        image = QImage(str(pixels))
        assert not image.isNull(), spec.key
        size = pictures(heard).sheet(spec.key).size
        assert (image.width(), image.height()) == (2 * size.width(), 2 * size.height())
        assert image.width() == 2 * panel.width()
        assert image.height() > 2 * panel.height()
        seen = image.convertToFormat(QImage.Format.Format_RGB32)
        values = np.frombuffer(seen.constBits(), np.uint32).reshape(seen.height(), seen.width())
        assert len(np.unique(values)) > 8, f"{spec.key}: of one colour"
        assert image.text("Title") == title
    assert not list(tmp_path.glob("*.part"))


def test_time_panels_have_their_time_axis_and_the_maps_are_images(heard: MainWindow, qtbot) -> None:
    heard.do_freeze(True)
    for key, panel in heard.time_panels.items():
        show(heard, key, qtbot)
        before = panel.plot
        root = ElementTree.fromstring(pictures(heard).sheet(key).svg())
        assert {"1 s", "2 s"} <= set(texts(root)), key
        assert panel.plot == before, "the panel on the screen stays as it was"
    spectrogram = ElementTree.fromstring(pictures(heard).sheet("spectrogram").svg())
    maps = list(spectrogram.iter(f"{NAMESPACE}image"))
    assert max(float(node.get("width", 0)) for node in maps) > 100
    waveform = ElementTree.fromstring(pictures(heard).sheet("waveform").svg())
    assert not list(waveform.iter(f"{NAMESPACE}image")), "a wave is lines"
    assert any(len(node.get("points", "")) > 500 for node in waveform.iter(f"{NAMESPACE}polygon"))


def test_a_picture_shows_what_the_screen_shows(heard: MainWindow, qtbot) -> None:
    """Pixel by pixel at half the size, below the title and without the added time labels."""
    heard.do_freeze(True)
    heard.timer.stop()
    for key in ("waveform", "spectrogram", "bars"):
        show(heard, key, qtbot)
        panel = heard.docks[key].widget()
        seen = panel.grab().toImage()
        taken = pictures(heard).sheet(key).image()
        taken.setDevicePixelRatio(1)
        half = taken.scaled(taken.size() / 2, mode=Qt.TransformationMode.SmoothTransformation)
        head = pictures(heard).sheet(key)._head
        height = panel.height() - 2 * AXIS

        def grey(image: QImage, top: int, width: int = panel.width(), height: int = height) -> np.ndarray:
            part = image.copy(0, top, width, height).convertToFormat(QImage.Format.Format_Grayscale8)
            rows = np.frombuffer(part.constBits(), np.uint8).reshape(height, part.bytesPerLine())
            return rows[:, :width].astype(int)

        difference = np.abs(grey(seen, 0) - grey(half, head))
        assert (difference > 60).mean() < 0.06, key
        assert np.corrcoef(grey(seen, 0).ravel(), grey(half, head).ravel())[0, 1] > 0.85, key


def test_lines_of_charts_do_not_depend_on_the_reader(heard: MainWindow, qtbot) -> None:
    """Few programs know lines that no scale widens: none is left that has a scale."""
    show(heard, "timing", qtbot)
    qtbot.waitUntil(lambda: heard.timing.chart is not None and heard.timing.chart.figures is not None)
    chart = heard.timing.chart
    assert chart is not None
    qtbot.waitUntil(lambda: chart.median.isVisible() and chart.view.isVisible() and chart.view.height() > 40)
    heard.tick()
    drawn = pictures(heard).sheet("timing").svg().decode()
    root = ElementTree.fromstring(drawn)
    median = heard.theme.blocks[0].lower()
    curves = [group for group in root.iter(NAMESPACE + "g") if group.get("stroke") == median and len(group)]
    assert any("transform" not in group.attrib for group in curves), "the curve has the picture's own coordinates"
    for group in re.findall(r'<g [^>]*transform="matrix\(([^)]*)\)"[^>]*>(?:(?!<g ).)*?non-scaling', drawn, re.S):
        assert group.split(",")[:4] == ["1", "0", "0", "1"], group


def test_the_folder_and_the_kind_are_remembered(heard: MainWindow, tmp_path: Path, monkeypatch, qtbot) -> None:
    there = tmp_path / "there"
    there.mkdir()
    asked: list[tuple[str, str]] = []
    answers = [(str(there / "a.png"), SVG), ("", ""), (str(there / "b"), SVG), (str(there / "c.png"), SVG)]

    def dialog(_parent: object, _title: str, start: str, filters: str, offered: str) -> tuple[str, str]:
        assert filters == f"{PNG};;{SVG}"
        asked.append((start, offered))
        return answers[len(asked) - 1]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    for _ in answers:
        pictures(heard).ask("spectrogram")
    assert sorted(path.name for path in there.iterdir()) == ["a.svg", "b.svg", "c.png"]
    assert (there / "c.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(there / "b.svg").getroot().tag == f"{NAMESPACE}svg"
    assert heard.settings.folder == str(there)
    assert re.fullmatch(r"spectrogram-0m0\ds\.png", Path(asked[0][0]).name)
    assert [offered for _, offered in asked] == [PNG, SVG, SVG, SVG]
    assert all(Path(start).parent == there and start.endswith("s.svg") for start, _ in asked[1:])


def test_nothing_is_overwritten_that_nobody_was_asked_about(heard: MainWindow, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "a"), PNG))
    pictures(heard).ask("bars")
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    assert "exists already: choose another name" in heard.banner.text()


def _no_folder(folder: Path) -> Path:
    return folder / "none" / "a.svg"


def _a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(b"")
    return folder / "file" / "a.png"


def _a_folder(folder: Path) -> Path:
    (folder / "a.png").mkdir()
    return folder / "a.png"


@pytest.mark.parametrize("place", [_no_folder, _a_file, _a_folder])
def test_a_place_that_cannot_be_written_is_a_sentence(
    open_window: OpenWindow, tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    window, path = open_window(DEMO), place(tmp_path)
    assert not pictures(window).save("bars", path)
    said = window.banner.text()
    assert str(path) in said
    assert said.endswith("choose another folder.")
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_is_a_sentence_and_leaves_nothing(open_window: OpenWindow, tmp_path: Path, monkeypatch) -> None:
    window = open_window(DEMO)
    whole = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        whole(path, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert not pictures(window).save("waveform", tmp_path / "a.svg")
    assert "No space left on device" in window.banner.text()
    assert not list(tmp_path.iterdir())


def test_a_picture_is_copied(heard: MainWindow) -> None:
    pictures(heard).copy("spectrogram")
    data = QApplication.clipboard().mimeData()
    assert QImage(data.imageData()).width() == 2 * heard.panels["spectrogram"].width()
    assert b"<svg" in data.data("image/svg+xml").data()
    assert "Spectrogram" in heard.banner.text()


def _enter(window: MainWindow, key: str) -> None:
    spot = QPointF(5, 40)
    QApplication.sendEvent(window.docks[key], QEnterEvent(spot, spot, spot))


def test_the_key_is_about_the_panel_pointed_at(heard: MainWindow, tmp_path: Path, monkeypatch, qtbot) -> None:
    asked: list[str] = []

    def dialog(_parent: object, title: str, *_others: object) -> tuple[str, str]:
        asked.append(title)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    feature, action = pictures(heard), heard.actions_by_name["panel_picture"]
    assert [keys.toString() for keys in action.shortcuts()] == ["Ctrl+Shift+S"]
    _enter(heard, "snr")
    action.trigger()
    assert asked == ["Save picture of SNR per band"]
    show(heard, "detection", qtbot)
    heard.detection.defaults.setFocus()
    qtbot.waitUntil(lambda: feature.latest == "detection")
    action.trigger()
    assert asked[1:] == ["Save picture of Detection settings"]
    heard.toggle_dock("detection", False)
    feature.latest = "detection"
    action.trigger()
    assert len(asked) == 2
    assert "Point at the panel" in heard.banner.text()
    _enter(heard, "bars")
    heard.actions_by_name["panel_copy"].trigger()
    assert "Answers was copied" in heard.banner.text()


def _context(window: MainWindow, key: str, spot: QPoint) -> list[str]:
    """What the menu at a spot of a dock says."""
    dock = window.docks[key]
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, spot, dock.mapToGlobal(spot))
    QApplication.sendEvent(dock, event)
    menu = pictures(window).menu
    said = [action.text() for action in menu.actions() if not action.isSeparator()] if menu is not None else []
    if menu is not None:
        menu.close()
        pictures(window).menu = None
    return said


def test_panels_and_titles_have_menus(heard: MainWindow) -> None:
    dock = heard.docks["waveform"]
    inside = _context(heard, "waveform", dock.widget().geometry().center())
    assert inside == ["Save picture…", "Copy picture"]
    title = _context(heard, "waveform", dock.bar.geometry().center())
    assert title[:2] == inside
    assert "Spectrogram" in title[2:], "the list of panels stays"
    assert len(title) == 2 + len(heard.docks)


def test_menus_of_lists_and_charts_list_the_pictures_too(heard: MainWindow, qtbot) -> None:
    heard.log._menu(QPoint(3, 3))
    menu = next(each for each in heard.log.findChildren(QMenu) if each.isVisible())
    assert [action.text() for action in menu.actions() if action.text()][-2:] == ["Save picture…", "Copy picture"]
    menu.close()
    show(heard, "timing", qtbot)
    qtbot.waitUntil(lambda: heard.timing.chart is not None)
    dock = heard.docks["timing"]
    chart = heard.timing.chart
    view = heard.timing.findChild(QGraphicsView)
    assert isinstance(view, QGraphicsView)
    assert chart is not None
    qtbot.waitUntil(lambda: dock.childAt(view.mapTo(dock, view.rect().center())) is view.viewport())
    spot = view.mapTo(dock, view.rect().center())
    for _ in range(2):
        assert _context(heard, "timing", spot) == [], "a chart has a menu of its own"
    listed = [action.text() for action in chart.left.getViewBox().menu.actions()]
    assert listed.count("Save picture…") == listed.count("Copy picture") == 1


def test_the_picture_is_of_the_present_theme(heard: MainWindow) -> None:
    def background() -> str | None:
        root = ElementTree.fromstring(pictures(heard).sheet("waveform").svg())
        return next(group.get("fill") for group in root.iter(NAMESPACE + "g") if group.get("fill") != "none")

    assert background() == LIGHT.surface.lower()
    heard.set_preference("theme", "dark")
    assert background() == DARK.surface.lower()
