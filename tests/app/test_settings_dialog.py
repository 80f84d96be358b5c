"""The settings dialog, driven by clicks and keys; export and import of settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QSpinBox

from app import settings as store
from app import theme as themes
from app.preferences import Preference, preferences_of
from app.sources import MICROPHONE
from kwscore.errors import KWScopeError
from kwscore.stream.detection import DetectionSettings
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device

LEFT = Qt.MouseButton.LeftButton
ROWS = {row.name: row for row in store.PREFERENCES}


@pytest.fixture
def opened(open_window: OpenWindow, qtbot):
    """A window and its settings dialog."""
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    assert window.settings_dialog is not None
    assert window.settings_dialog.isVisible()
    yield window, window.settings_dialog
    window.set_preference("text_percent", 100)
    window.settings_dialog.close()


def test_every_preference_is_declared_well() -> None:
    assert len(ROWS) == len(store.PREFERENCES) > 4
    for row in store.PREFERENCES:
        assert row.check(row.default) == row.default, row.name
        assert row.help.endswith("."), row.name
        assert row.label[0].isupper(), row.name
        assert row.group, row.name
        if isinstance(row.default, int | float) and not isinstance(row.default, bool) and not row.choices:
            assert row.low < row.high, row.name


@pytest.mark.parametrize(
    ("row", "good", "bad"),
    [
        (Preference("a", True, "", "", ""), [False], [0, "yes", None]),
        (Preference("a", 3, "", "", "", low=1, high=9), [1, 9], [0, 10, 2.0, True]),
        (Preference("a", 0.5, "", "", "", low=0, high=1), [0.0, 1], [1.1, float("nan"), "0"]),
        (Preference("a", "x", "", "", "", choices=(("x", "X"), ("y", "Y"))), ["y"], ["z", 1]),
        (Preference("a", "", "", "", ""), ["anything"], [1]),
    ],
)
def test_what_a_preference_takes(row: Preference, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert type(row.check(value)) is type(row.default)
    for value in bad:
        with pytest.raises(KWScopeError, match=r"^a = .*: use "):
            row.check(value)


def test_fields_without_a_declaration_are_no_preferences() -> None:
    assert "geometry" not in {row.name for row in preferences_of(store.Settings)}


def test_every_preference_has_a_row_with_names(opened) -> None:
    _, dialog = opened
    assert set(ROWS) == set(dialog.controls)
    for name, (control, _show) in dialog.controls.items():
        assert control.accessibleName() == ROWS[name].label
        assert ROWS[name].help in dialog.rows[name].help.text()


def test_changes_are_effective_at_once(opened, qtbot) -> None:
    window, dialog = opened
    combo = dialog.controls["theme"][0]
    assert isinstance(combo, QComboBox)
    combo.setCurrentText("High contrast")
    assert window.theme is themes.CONTRAST
    assert window.settings.theme == "contrast"
    size = dialog.controls["text_percent"][0]
    assert isinstance(size, QSpinBox)
    small = window.status.fields["source"].font().pixelSize()
    size.setValue(120)
    assert window.status.fields["source"].font().pixelSize() > small
    dialog.controls["frame_rate"][0].setCurrentText("10")
    assert window.timer.interval() == 100
    dialog.controls["pitch"][0].setCurrentIndex(4)
    assert window.display.pitch == 6
    assert dialog.rows["theme"].back.isEnabled()
    qtbot.mouseClick(dialog.rows["frame_rate"].back, LEFT)
    assert window.settings.frame_rate == 30
    assert not dialog.rows["frame_rate"].back.isEnabled()
    qtbot.mouseClick(dialog.buttons["defaults"], LEFT)
    assert [row.name for row in store.PREFERENCES if getattr(window.settings, row.name) != row.default] == []


def test_the_dialog_follows_keys_of_the_window(opened) -> None:
    window, dialog = opened
    window.do_theme()
    assert dialog.controls["theme"][0].currentText() in ("Dark", "Light")
    assert dialog.controls["theme"][0].currentText().lower() == window.settings.theme


def test_search_finds_by_any_word(opened, qtbot) -> None:
    _, dialog = opened
    assert QApplication.focusWidget() is dialog.search or dialog.search.hasFocus()
    qtbot.keyClicks(dialog.search, "contrast")
    assert [name for name, row in dialog.rows.items() if not row.isHidden()] == ["theme"]
    assert dialog.headings["More"].isHidden()
    dialog.search.setText("thresholds")
    assert [name for name, row in dialog.rows.items() if not row.isHidden()] == ["detection"]
    dialog.search.setText("aardvark")
    assert dialog.nothing.isVisible()
    dialog.search.clear()
    assert all(not row.isHidden() for row in dialog.rows.values())
    assert not dialog.nothing.isVisible()


def test_the_wheel_does_not_change_what_has_no_focus(opened) -> None:
    _, dialog = opened
    size = dialog.controls["text_percent"][0]
    dialog.search.setFocus()
    turn = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(0, 120), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(size, turn)
    assert size.value() == 100


def test_export_and_import_round_trip(opened, qtbot, tmp_path: Path, monkeypatch) -> None:
    window, dialog = opened
    window.set_preference("theme", "dark")
    window.docks["delta"].hide()
    window.detection.set_settings(DetectionSettings(threshold=0.8), announce=True)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    qtbot.mouseClick(dialog.buttons["export"], LEFT)
    path = tmp_path / "mine.json"
    assert str(path) in dialog.message.text()
    assert [each.name for each in tmp_path.iterdir()] == ["mine.json"]
    kept = json.loads(path.read_text())
    assert {"geometry", "source", "model"}.isdisjoint(kept)  # another machine has other devices, screens and files
    window.set_preference("theme", "light")
    window.docks["delta"].show()
    window.detection.set_settings(DetectionSettings(), announce=True)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    qtbot.mouseClick(dialog.buttons["import"], LEFT)
    assert "were taken over" in dialog.message.text()
    assert window.settings.theme == "dark"
    assert window.docks["delta"].isHidden()
    assert window.controller.detection.threshold == 0.8
    assert dialog.controls["theme"][0].currentText() == "Dark"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "no JSON"),
        ("\xff\xfe", "no JSON"),
        ("[1]", "not a settings file"),
        ('{"theme": "dark"}', "not a settings file"),
        ('{"kwscope_settings": 99}', "newer KWScope"),
        ('{"kwscope_settings": 1, "theme": "pink"}', "theme = 'pink': use one of auto, light, dark, contrast."),
        ('{"kwscope_settings": 1, "text_percent": 500}', "use a whole number from 90 to 200"),
        ('{"kwscope_settings": 1, "theme": "dark", "colour": 1}', "no setting that a file can carry"),
        ('{"kwscope_settings": 1, "detection": {"threshold": 7}}', "threshold=7"),
        ('{"kwscope_settings": 1, "detection": {"word_thresholds": 7}}', "no detection settings"),
        ('{"kwscope_settings": 1, "geometry": "AA"}', "no setting that a file can carry"),
        ('{"kwscope_settings": 1, "theme": "dark", "layout": "no base64!"}', "its layout is damaged"),
        ('{"kwscope_settings": 1, "theme": "dark", "layout": "AAAA"}', "its layout is damaged"),
        ("[" * 9000, "no JSON"),
    ],
)
def test_a_bad_file_is_one_sentence_and_changes_nothing(
    opened, qtbot, tmp_path: Path, monkeypatch, content: str, part: str
) -> None:
    window, dialog = opened
    path = tmp_path / "settings.json"
    path.write_text(content, encoding="latin-1")
    window.do_booth()
    shown = [key for key, dock in window.docks.items() if not dock.isHidden()]
    before = store.Settings(**{name: getattr(window.settings, name) for name in ROWS})
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    qtbot.mouseClick(dialog.buttons["import"], LEFT)
    assert part in dialog.message.text()
    assert str(path) in dialog.message.text()
    assert store.Settings(**{name: getattr(window.settings, name) for name in ROWS}) == before
    assert [key for key, dock in window.docks.items() if not dock.isHidden()] == shown


def test_export_into_nowhere_is_one_sentence(opened, qtbot, tmp_path: Path, monkeypatch) -> None:
    _, dialog = opened
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "a.json"), ""))
    qtbot.mouseClick(dialog.buttons["export"], LEFT)
    assert "cannot be written" in dialog.message.text()
    with pytest.raises(KWScopeError, match="cannot be read"):
        store.read_export(tmp_path / "none.json")


def test_a_remembered_value_out_of_range_is_said_and_the_rest_kept(tmp_path: Path) -> None:
    (tmp_path / store.FILE).write_text('{"version": 1, "theme": "pink", "text_percent": 9, "source": "demo"}')
    kept, sentence = store.load(tmp_path)
    assert (kept.theme, kept.text_percent, kept.source) == ("auto", 100, "demo")
    assert "theme = 'pink'" in sentence
    assert "text_percent = 9" in sentence


def test_a_theme_of_the_command_line_is_not_remembered(qapp, qtbot) -> None:
    from app.controller import Controller
    from app.window import MainWindow

    window = MainWindow(Controller(MICROPHONE), store.Settings(theme="light"), theme="dark")
    qtbot.addWidget(window)
    assert window.theme is themes.DARK
    window.close()
    assert store.load()[0].theme == "light"
    themes.apply(qapp, themes.LIGHT)
