"""The FPGA layout shows software beside the board at once, says that the board is virtual, and gives back what ran."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from app import settings as store
from app.engines import VIRTUAL_PORTS, EngineChoice, Kind, Reference, called
from app.window import MainWindow
from kwscore.board.engine import BoardEngine
from kwscore.board.opening import VIRTUAL
from kwscore.board.virtual import VirtualBoard
from kwscore.errors import KWScopeError
from tests.app.conftest import OpenWindow
from tests.app.test_comparison import SLOW, feature, frames, listening
from tests.board.conftest import PATIENT
from tests.board.toy import ToyEngine


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VirtualBoard]:
    with VirtualBoard(ToyEngine(), link=tmp_path / "board") as made:
        yield made


def label(window: MainWindow) -> str:
    return feature(window).button.text()


def test_a_board_that_is_a_program_is_called_one() -> None:
    assert tuple(VIRTUAL) == VIRTUAL_PORTS
    assert called(Kind.BOARD, "sim") == called(Kind.BOARD, "rtl") == "virtual board"
    assert called(Kind.BOARD, "/dev/ttyUSB1") == "board"
    assert called(Kind.FLOAT, "sim") == "float"


def test_the_fpga_layout_shows_software_beside_the_board_and_gives_back_what_ran(
    open_window: OpenWindow, qtbot: Any, board: VirtualBoard
) -> None:
    window = listening(open_window, qtbot, board)
    qtbot.keyClick(window, Qt.Key.Key_F4)
    qtbot.waitUntil(lambda: frames(window) > 50, timeout=SLOW)
    assert label(window) == "integer + board"
    assert window.time_panels["difference"].names == ("integer", "virtual board")  # type: ignore[attr-defined]
    panel = window.panels["comparison"]
    qtbot.waitUntil(lambda: panel.verdict.text().startswith("Bit-exact"), timeout=SLOW)
    qtbot.waitUntil(lambda: "virtual board sim: streaming" in window.status.fields["board"].text(), timeout=SLOW)
    row = next(row for row in window.banner.rows if row.key == "virtual")
    assert "This board is virtual" in row.label.text()
    qtbot.mouseClick(row.action_button, Qt.MouseButton.LeftButton)
    dialog = feature(window).dialog
    assert dialog is not None
    assert dialog.isVisible()
    dialog.close()
    qtbot.keyClick(window, Qt.Key.Key_F3)
    qtbot.waitUntil(lambda: label(window) == "float", timeout=SLOW)
    qtbot.waitUntil(lambda: window.feed.comparison is None, timeout=SLOW)
    assert "virtual" not in window.banner.text()


def test_what_the_user_chose_stays(open_window: OpenWindow, qtbot: Any, board: VirtualBoard) -> None:
    window = listening(open_window, qtbot, board)
    feature(window).choose(EngineChoice(Kind.FLOAT, Reference(Kind.INTEGER)))
    qtbot.waitUntil(lambda: label(window) == "float + integer", timeout=SLOW)
    window.use_preset("fpga")
    assert label(window) == "float + integer", "two engines run already"
    window.use_preset("standard")
    assert label(window) == "float + integer"
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: label(window) == "float", timeout=SLOW)
    window.use_preset("fpga")
    qtbot.waitUntil(lambda: label(window) == "integer + board", timeout=SLOW)
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: label(window) == "integer", timeout=SLOW)
    window.use_preset("booth")
    assert label(window) == "integer", "chosen by hand in between"


def test_the_empty_comparison_offers_it_in_one_click(open_window: OpenWindow, qtbot: Any, board: VirtualBoard) -> None:
    window = listening(open_window, qtbot, board)
    window.docks["comparison"].show()
    window.docks["comparison"].raise_()
    panel = window.panels["comparison"]
    qtbot.waitUntil(panel.pair_button.isVisible, timeout=SLOW)
    qtbot.mouseClick(panel.pair_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: frames(window) > 20, timeout=SLOW)
    assert not panel.pair_button.isVisible()
    assert not window.docks["difference"].isHidden()


def test_before_the_start_the_layout_only_says_what_shall_run(
    open_window: OpenWindow, qtbot: Any, board: VirtualBoard
) -> None:
    from app.sources import MICROPHONE
    from tests.app.test_engines import parts

    window = open_window(MICROPHONE, **parts(board))
    window.use_preset("fpga")
    assert label(window) == "integer + board"
    assert not window.controller.running
    qtbot.mouseClick(window.toolbar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: frames(window) > 20, timeout=SLOW)
    qtbot.waitUntil(lambda: "This board is virtual" in window.banner.text(), timeout=SLOW)


def test_the_virtual_board_takes_the_place_of_one_that_is_away(
    open_window: OpenWindow, qtbot: Any, board: VirtualBoard
) -> None:
    def open_board(port: str, network: str, progress: object) -> BoardEngine:
        if port != "sim":
            raise KWScopeError(f"Nothing answers at {port}: check that the board is powered.")
        return BoardEngine(board.port, timing=PATIENT)

    kept = store.Settings(theme="light", board="/dev/ttyUSB7")
    window = listening(open_window, qtbot, settings=kept, open_board=open_board)
    window.use_preset("fpga")
    qtbot.waitUntil(lambda: frames(window) > 20, timeout=SLOW)
    said = window.banner.text()
    assert "Nothing answers at /dev/ttyUSB7" in said
    assert "The virtual board takes its place." in said
    assert "This board is virtual" in said
    window.use_preset("standard")
    qtbot.waitUntil(lambda: label(window) == "float", timeout=SLOW)
    assert window.controller.engine_choice.port == "/dev/ttyUSB7", "which is tried again the next time"
    assert window.settings.board == "/dev/ttyUSB7"


def test_where_no_board_is_possible_the_reason_is_said_and_listening_goes_on(
    open_window: OpenWindow, qtbot: Any
) -> None:
    window = listening(open_window, qtbot)
    window.use_preset("fpga")
    qtbot.waitUntil(lambda: "Nothing answers at sim" in window.banner.text(), timeout=SLOW)
    assert label(window) == "float"
    assert window.controller.running
    assert window.panels["comparison"].stack.currentIndex() == 0, "the click is offered"
    window.use_preset("standard")
    assert "Nothing answers" in window.banner.text(), "nothing was changed, nothing is changed back"
