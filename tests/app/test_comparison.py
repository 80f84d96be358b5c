"""Engines side by side in the real window: clicks, keys, and a board on a pseudo-terminal that is pulled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog

from app import settings as store
from app.board_dialog import BoardDialog
from app.boards import Boards, BoardStatus
from app.engine_menu import EngineFeature
from app.engines import EngineChoice, EngineSet, Kind, Reference
from app.history_feed import HistoryFeed
from app.panels.comparison import ComparedLogitsPanel, ComparedPosteriorsPanel, DifferencePanel, runs, scaled
from app.panels.comparison_figures import ComparisonPanel
from app.panels.latency import LatencyChart, Row
from app.sources import MICROPHONE
from app.theme import LIGHT
from app.window import MainWindow
from kwscore.board.client import BoardClient
from kwscore.board.engine import BoardEngine
from kwscore.board.ports import Port
from kwscore.board.selftest import Report, Spread
from kwscore.board.virtual import VirtualBoard
from kwscore.errors import KWScopeError
from kwscore.stream.comparison import Comparison, ComparisonView
from kwscore.stream.deferred import DeferredEngine
from tests.app.conftest import OpenWindow
from tests.app.test_engines import parts
from tests.board.toy import ToyEngine
from tests.stream.fakes import ShiftedEngine
from tests.stream.test_comparison import compared

LEFT = Qt.MouseButton.LeftButton
SLOW = 60_000


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VirtualBoard]:
    with VirtualBoard(ToyEngine(), link=tmp_path / "board") as made:
        yield made


def feature(window: MainWindow) -> EngineFeature:
    return next(each for each in window.features if isinstance(each, EngineFeature))


def listening(open_window: OpenWindow, qtbot: Any, board: VirtualBoard | None = None, **others: Any) -> MainWindow:
    window = open_window(MICROPHONE, others.pop("settings", None), **parts(board, **others))
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.feed.end > 100, timeout=SLOW)
    return window


def pick(window: MainWindow, text: str, occurrence: int = 0) -> None:
    """Open the engine menu and click on an entry."""
    menu = feature(window).button.menu()
    menu.aboutToShow.emit()
    found = [action for action in menu.actions() if action.text().startswith(text)]
    found[occurrence].trigger()


def frames(window: MainWindow) -> int:
    comparison = window.feed.comparison
    return comparison.summary().frames if comparison is not None else 0


def test_the_menu_changes_the_engine_and_compares(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    button, panel = feature(window).button, window.panels["comparison"]
    assert button.text() == "float"
    pick(window, "Software, integers")
    qtbot.waitUntil(lambda: button.text() == "integer", timeout=SLOW)
    assert window.docks["comparison"].isHidden()
    pick(window, "Software, floating point", 1)
    qtbot.waitUntil(lambda: frames(window) > 50, timeout=SLOW)
    assert button.text() == "integer + float"
    assert not window.docks["comparison"].isHidden()
    assert not window.docks["difference"].isHidden()
    qtbot.waitUntil(lambda: "Not meant to be bit-exact" in panel.verdict.text(), timeout=SLOW)
    assert panel.values["Largest difference"].text().startswith("0.25")
    assert panel.lamp.text() == "◐"
    pick(window, "Nothing")
    qtbot.waitUntil(lambda: button.text() == "integer", timeout=SLOW)
    qtbot.waitUntil(lambda: panel.stack.currentIndex() == 0, timeout=SLOW)


def test_keys_change_the_engine_and_compare(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    button = feature(window).button
    qtbot.keyClick(window, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: button.text() == "integer", timeout=SLOW)
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: button.text() == "integer + float", timeout=SLOW)
    qtbot.keyClick(window, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: button.text() == "float + integer", timeout=SLOW)  # they change places
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: button.text() == "float", timeout=SLOW)


def test_a_board_is_pulled_and_comes_back(open_window: OpenWindow, qtbot: Any, board: VirtualBoard) -> None:
    window = listening(open_window, qtbot, board)
    panel = window.panels["comparison"]
    pick(window, "Software, integers")
    qtbot.waitUntil(lambda: feature(window).button.text() == "integer", timeout=SLOW)
    pick(window, "FPGA board", 1)
    qtbot.waitUntil(lambda: panel.verdict.text().startswith("Bit-exact"), timeout=SLOW)
    assert panel.lamp.text() == "●"
    assert panel.values["Board clock"].text() == "none, nor a cycle counter: this board is a program"
    assert [row.name for row in panel.latency.rows] == ["integer: compute", "virtual board: round trip"]
    qtbot.waitUntil(lambda: "streaming" in window.status.fields["board"].text(), timeout=SLOW)
    board.unplug()
    qtbot.waitUntil(lambda: "lost" in window.status.fields["board"].text(), timeout=SLOW)
    qtbot.waitUntil(lambda: bool(window.banner.rows), timeout=SLOW)
    end = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > end + 50, timeout=SLOW)  # nothing stands still
    board.plug()
    held = frames(window)
    qtbot.waitUntil(lambda: frames(window) > held + 50, timeout=SLOW)
    qtbot.waitUntil(lambda: not window.banner.rows, timeout=SLOW)
    assert panel.verdict.text().startswith("Bit-exact")


def test_a_board_that_is_not_there_is_said_and_nothing_changes(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    pick(window, "FPGA board")
    qtbot.waitUntil(lambda: "Nothing answers at sim" in window.banner.text(), timeout=SLOW)
    assert feature(window).button.text() == "float"
    assert window.controller.running


def test_another_network_is_opened_beside_the_first(
    open_window: OpenWindow, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, progress: object) -> tuple[ShiftedEngine, None]:
        engine = ShiftedEngine(0.0 if not name else 3.0)
        engine.name = name or "standard"
        return engine, None

    window = listening(open_window, qtbot, load_engine=load)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/somewhere/best.pt", ""))
    menu = feature(window).button.menu()
    menu.aboutToShow.emit()
    networks: Any = next(action.menu() for action in menu.actions() if action.text() == "Another network")
    next(action for action in networks.actions() if action.text().startswith("Open network")).trigger()
    qtbot.waitUntil(lambda: frames(window) > 20, timeout=SLOW)
    assert feature(window).button.text() == "float + network"
    assert window.time_panels["difference"].names == ("standard", "/somewhere/best.pt")  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: "two networks" in window.panels["comparison"].verdict.text(), timeout=SLOW)


def test_counting_anew(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: frames(window) > 200, timeout=SLOW)
    qtbot.mouseClick(window.panels["comparison"].anew, LEFT)
    assert frames(window) < 200


# -- the dialog -----------------------------------------------------------------------------------------------


def test_the_dialog_connects_tests_counts_and_disconnects(
    open_window: OpenWindow, qtbot: Any, board: VirtualBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [Port("/dev/ttyUSB1", "Digilent Adept USB Device", "210319", True), Port("/dev/ttyS0", "n/a", "", False)]
    monkeypatch.setattr("app.board_dialog.list_boards_and_ports", lambda: ports)
    window = listening(open_window, qtbot, board)
    qtbot.keyClick(window, Qt.Key.Key_B)
    dialog = feature(window).dialog
    assert isinstance(dialog, BoardDialog)
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: dialog.list.count() == 4, timeout=SLOW)
    texts = [dialog.list.item(row).text() for row in range(4)]
    assert texts[0].startswith("sim")
    assert texts[1].startswith("rtl")
    assert "FPGA board (Digilent)" in texts[2]
    assert "210319" in texts[2]
    assert "serial port" in texts[3]
    assert not dialog.test_button.isEnabled()
    dialog.list.setCurrentRow(2)
    assert dialog.path.text() == "/dev/ttyUSB1"
    qtbot.mouseClick(dialog.connect_button, LEFT)
    qtbot.waitUntil(dialog.disconnect_button.isEnabled, timeout=SLOW)
    assert "/dev/ttyUSB1" in dialog.state.text()
    assert window.settings.board == "/dev/ttyUSB1"
    assert "a program, no cycle counter" in dialog.values["Board"].text()
    qtbot.waitUntil(lambda: "frames" in dialog.values["Board's counters"].text(), timeout=SLOW)  # asked by itself
    dialog.values["Board's counters"].setText("")
    qtbot.mouseClick(dialog.stats_button, LEFT)
    qtbot.waitUntil(lambda: "CRC errors 0" in dialog.values["Board's counters"].text(), timeout=SLOW)
    qtbot.mouseClick(dialog.run_button, LEFT)
    qtbot.waitUntil(lambda: frames(window) > 20, timeout=SLOW)
    assert feature(window).button.text() == "integer + board"
    qtbot.mouseClick(dialog.disconnect_button, LEFT)
    qtbot.waitUntil(lambda: feature(window).button.text() == "integer", timeout=SLOW)
    qtbot.waitUntil(lambda: not dialog.disconnect_button.isEnabled(), timeout=SLOW)
    assert window.controller.running


@pytest.mark.parametrize("equal", [True, False])
def test_the_selftest_has_the_board_for_itself_and_says_what_it_found(
    open_window: OpenWindow, qtbot: Any, board: VirtualBoard, monkeypatch: pytest.MonkeyPatch, equal: bool
) -> None:
    seen: list[str] = []
    boards: list[DeferredEngine] = []

    def run(client: BoardClient, image: object, audio: object, progress: Any) -> Report:
        seen.append(boards[0].lost)
        progress("speech: 1.0 s, all equal")
        assert client.stats().crc_errors == 0
        report = Report(client.info, hops=100, results=100, rate=230.0, compute=Spread(800.0, 810.0, 820.0))
        if not equal:
            report.differences["logits"] += 3
            report.first = "hop 7 of speech: logits [2] 5 instead of 6"
        return report

    monkeypatch.setattr("kwscore.board.selftest.run", run)
    monkeypatch.setattr("app.networks.load_image", lambda name, progress: None)
    window = listening(open_window, qtbot, board)
    feature(window).choose(EngineChoice(Kind.INTEGER, Reference(Kind.BOARD), "toy"))
    qtbot.waitUntil(lambda: frames(window) > 20, timeout=SLOW)
    engines = window.controller.engines
    assert engines is not None
    assert isinstance(engines.reference, DeferredEngine)
    boards.append(engines.reference)
    qtbot.keyClick(window, Qt.Key.Key_B)
    dialog = feature(window).dialog
    assert dialog is not None
    assert dialog.path.text() == "toy"
    qtbot.waitUntil(dialog.test_button.isEnabled, timeout=SLOW)
    qtbot.mouseClick(dialog.test_button, LEFT)
    qtbot.waitUntil(lambda: bool(dialog.outcome.text()), timeout=SLOW)
    said = dialog.outcome.text()
    assert said.startswith("✓ Passed: all 100 answers" if equal else "✗ Failed: 3 differences")
    assert "2.3 times live audio" in said
    assert ("hop 7 of speech" in said) is not equal
    assert seen == ["The board is being tested."]
    held = frames(window)
    qtbot.waitUntil(lambda: frames(window) > held + 30, timeout=SLOW)  # it listens again
    comparison = window.feed.comparison
    assert comparison is not None
    assert comparison.summary().bit_exact


def test_the_board_of_the_last_time_is_offered_first(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot, settings=store.Settings(theme="light", board="/dev/ttyUSB7"))
    menu = feature(window).button.menu()
    menu.aboutToShow.emit()
    assert "FPGA board (/dev/ttyUSB7)" in [action.text() for action in menu.actions()]
    qtbot.keyClick(window, Qt.Key.Key_E)  # stays the one that is offered when other engines are chosen
    qtbot.waitUntil(lambda: feature(window).button.text() == "integer", timeout=SLOW)
    assert window.controller.engine_choice.port == "/dev/ttyUSB7"


def test_the_dialog_says_why_a_port_does_not_open(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    feature(window).do_board()
    dialog = feature(window).dialog
    assert dialog is not None
    dialog.path.setText("/dev/nothing")
    qtbot.keyClick(dialog.path, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Nothing answers at /dev/nothing" in dialog.refusal.text(), timeout=SLOW)
    assert dialog.connect_button.isEnabled()
    assert not dialog.bar.isVisible()
    assert not dialog.list.selectedItems()  # the port that is named is not in it
    dialog.path.setText("rtl")
    assert [item.text()[:3] for item in dialog.list.selectedItems()] == ["rtl"]


def test_who_looks_at_the_window_is_not_sent_to_the_terminal() -> None:
    boards = Boards(lambda port, network, progress: BoardEngine(port))
    with pytest.raises(KWScopeError) as refused:
        boards.engine("/dev/no-such-port", "", print)
    assert str(refused.value) == (
        "There is no port /dev/no-such-port: plug the board in, or pick another one in the board dialog (B)."
    )


# -- the panels -----------------------------------------------------------------------------------------------


def fed(comparison: Comparison | None) -> HistoryFeed:
    feed = HistoryFeed()
    feed.compare(comparison)
    return feed


def painted(panel: Any) -> QImage:
    panel.resize(900, 160)
    panel.end = 110
    image = QImage(panel.size(), QImage.Format.Format_RGB32)
    panel.render(image)
    return image


@pytest.mark.parametrize("kind", [ComparedPosteriorsPanel, ComparedLogitsPanel, DifferencePanel])
def test_panels_say_what_to_do_without_a_second_engine(qapp: Any, kind: Any) -> None:
    panel = kind(LIGHT, fed(None))
    assert "second engine" in panel.empty
    painted(panel)


@pytest.mark.parametrize("late", [3, 70])
def test_answers_are_painted_however_late_they_come(qapp: Any, qtbot: Any, late: int) -> None:
    """A board that is behind: at last its picture is that of one that was never late."""
    from tests.app.fakes import SteadyFeed

    whole, _ = compared(ToyEngine(), ShiftedEngine(25.0, since=40), [])

    class Behind:
        """The same comparison, of which the second engine's newest frames are not there yet."""

        known = 0

        def view(self, start: int, stop: int) -> ComparisonView:
            view = whole.view(start, stop)
            missing = np.arange(start, stop) >= self.known
            for field in (view.logits[1], view.posteriors[1], view.largest, view.mean):
                field[missing] = np.nan
            return replace(view, agrees=view.agrees & ~missing)

        def paired(self, start: int, stop: int) -> np.ndarray:
            return whole.paired(start, stop) & (np.arange(start, stop) < self.known)

    def tape(comparison: Any) -> np.ndarray:
        panel = DifferencePanel(LIGHT, feed := fed(comparison))
        qtbot.addWidget(panel)
        panel.feed = SteadyFeed()
        panel.set_names(("integer", "board"))
        panel.resize(900, 160)
        panel.show()
        for end in (*range(40, 111, 5), 110):
            panel.advance(end, 2)
            if feed.comparison is not whole:
                comparison.known = 110 if end == 110 else max(end - late, 0)
            panel._update_tape()
        panel._update_tape()
        image = panel._tape.toImage().convertToFormat(QImage.Format.Format_RGB32)
        return np.array(image.constBits()).reshape(image.height(), image.width(), 4).copy()

    assert whole.paired(0, 110).any()
    expected, found = tape(whole), tape(Behind())
    differs = (np.abs(expected.astype(int) - found) > 40).any(axis=(0, 2))
    assert not differs.any(), "no column of pixels"


def test_the_difference_panel_reads_out_what_is_under_the_cursor(qapp: Any) -> None:
    comparison, _ = compared(ToyEngine(), ShiftedEngine(25.0, since=40), [])
    panel = DifferencePanel(LIGHT, fed(comparison))
    from tests.app.fakes import SteadyFeed

    columns = SteadyFeed().columns(50, 51)
    assert panel.describe(columns).startswith("largest 25, mean 2.08, margin ")
    assert "largest 0," in panel.describe(SteadyFeed().columns(10, 11))
    assert panel.describe(SteadyFeed().columns(500, 501)) == "one engine has no answer here"


def test_the_scale_of_differences() -> None:
    values = scaled(np.array([0.0, 2.0**-11, 2.0**-9, 1.0, 16.0, 100.0]))
    assert values.tolist() == [0.0, 0.0, pytest.approx(2 / 15), pytest.approx(11 / 15), 1.0, 1.0]


def test_runs_of_what_is_there() -> None:
    mask = np.array([True, True, False, True, False, False, True])
    assert list(runs(mask)) == [slice(0, 2), slice(3, 4), slice(6, 7)]
    assert list(runs(np.zeros(3, bool))) == []


@pytest.mark.parametrize(
    ("second", "primary", "reference", "lamp", "words"),
    [
        (ShiftedEngine(0.0), Kind.INTEGER, Reference(Kind.BOARD), "●", "Bit-exact: all 117 frames equal"),
        (
            ShiftedEngine(1.0, 40),
            Kind.BOARD,
            Reference(Kind.INTEGER),
            "✗",
            "77 of 117 frames differ, the first at 0.43 s",
        ),
        (ShiftedEngine(1.0, 40), Kind.FLOAT, Reference(Kind.INTEGER), "◐", "Not meant to be bit-exact"),
        (ShiftedEngine(1.0, 0), Kind.FLOAT, Reference(Kind.FLOAT, "x.pt"), "◐", "two networks"),
    ],
)
def test_the_lamp_says_it_in_words(
    qtbot: Any, second: ShiftedEngine, primary: Kind, reference: Reference, lamp: str, words: str
) -> None:
    comparison, _ = compared(ToyEngine(), second, [])
    panel = ComparisonPanel(LIGHT, fed(comparison))
    qtbot.addWidget(panel)
    panel.set_engines(EngineSet(EngineChoice(primary, reference), ToyEngine(), names=("one", "two")))
    panel.show()
    panel.advance(BoardStatus())
    assert panel.lamp.text() == lamp
    assert words in panel.verdict.text()
    assert "both" in panel.values["Detections"].text()


def test_the_latency_chart_tells_its_figures_to_screen_readers(qtbot: Any) -> None:
    chart = LatencyChart(LIGHT)
    qtbot.addWidget(chart)
    chart.show_rows([Row("board: link", "link", np.full(10, 900.0)), Row("board: compute", "compute", np.zeros(0))])
    assert chart.accessibleDescription() == "board: link: median 900 µs, p99 900 µs"
    image = QImage(chart.sizeHint(), QImage.Format.Format_RGB32)
    chart.resize(chart.sizeHint())
    chart.render(image)
