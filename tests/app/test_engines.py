"""Float, integer and board, alone and side by side, with a virtual board on a pseudo-terminal that is pulled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.controller import Compared, EnginesTried, NetworkTried
from app.engines import EngineChoice, Kind, Reference
from app.sources import MICROPHONE
from kwscore.audio.source import SourceState
from kwscore.board.engine import BoardEngine
from kwscore.board.virtual import VirtualBoard
from kwscore.errors import KWScopeError
from kwscore.stream.comparison import SECOND, Comparison
from kwscore.stream.deferred import DeferredEngine
from tests.app.driving import Driver, work_through
from tests.app.fakes import Device
from tests.board.conftest import PATIENT
from tests.board.toy import ToyEngine
from tests.stream.fakes import PATIENCE, ShiftedEngine

FLOAT, INTEGER, BOARD = Kind.FLOAT, Kind.INTEGER, Kind.BOARD


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VirtualBoard]:
    with VirtualBoard(ToyEngine(), link=tmp_path / "board") as made:
        yield made


def parts(board: VirtualBoard | None = None, **others: Any) -> dict[str, Any]:
    """Parts of a controller whose engines are toys: the float one is off by a little from frame 0 on."""

    def open_board(port: str, network: str, progress: Callable[[str], None]) -> BoardEngine:
        if board is None:
            raise KWScopeError(f"Nothing answers at {port}: check that the board is powered.")
        return BoardEngine(board.port, timing=PATIENT)

    return {
        "load_engine": lambda name, progress: (ShiftedEngine(0.25), (-50.0, -8.0)),
        "load_integer": lambda name, progress: ToyEngine(),
        "open_board": open_board,
        "build_source": lambda choice: Device(),
        **others,
    }


def running(drive: Callable[..., Driver], **given: Any) -> Driver:
    """A controller that has been listening for a while."""
    driver = drive(MICROPHONE, **given)
    driver.controller.start()
    driver.until(lambda: driver.controller.feed.end > 20)
    return driver


def choose(driver: Driver, choice: EngineChoice) -> EnginesTried:
    """Ask for engines and wait until they run or are refused."""
    before = len(driver.said)
    driver.controller.set_engines(choice)
    driver.until(lambda: any(isinstance(event, EnginesTried) for event in driver.said[before:]))
    return next(event for event in driver.said[before:] if isinstance(event, EnginesTried))


def compared(driver: Driver, frames: int) -> Comparison:
    """The comparison, once it holds so many frames of both."""
    feed = driver.controller.feed
    driver.until(lambda: feed.comparison is not None and feed.comparison.summary().frames >= frames)
    assert feed.comparison is not None
    return feed.comparison


def test_the_engine_is_exchanged_without_losing_a_column(drive: Callable[..., Driver]) -> None:
    device = Device()
    driver = running(drive, **parts(build_source=lambda choice: device))
    controller = driver.controller
    history = controller.worker.history
    for kind in (INTEGER, FLOAT, INTEGER):
        assert choose(driver, EngineChoice(kind)).sentence == ""
        assert controller.engine_choice.primary is kind
        end = controller.feed.end
        driver.until(lambda end=end: controller.feed.end > end + 50)  # type: ignore[misc]
    assert controller.worker.history is history  # one axis, nothing began anew
    assert controller.worker.runner is not None
    device.state = SourceState.STALLED  # nothing moves on
    work_through(driver)
    assert controller.feed.end == (controller.worker.runner.statistics().position - 512) // 160 + 1


def test_two_engines_hear_the_same_and_are_compared(drive: Callable[..., Driver]) -> None:
    driver = running(drive, **parts())
    choose(driver, EngineChoice(FLOAT, Reference(INTEGER)))
    figures = compared(driver, 100).summary()
    assert figures.equal == 0
    assert figures.largest_difference == pytest.approx(0.25, abs=1e-3)
    assert figures.mean_difference == pytest.approx(0.25 / 12, abs=1e-3)
    said = [event for event in driver.said if isinstance(event, Compared)][-1]
    assert said.engines.names == ("float", "integer")
    assert not said.engines.exact
    choose(driver, EngineChoice(FLOAT))
    driver.until(lambda: driver.controller.feed.comparison is None)


def test_integers_and_board_are_bit_exact_also_after_the_cable_was_pulled(
    drive: Callable[..., Driver], board: VirtualBoard
) -> None:
    driver = running(drive, **parts(board))
    controller = driver.controller
    assert choose(driver, EngineChoice(INTEGER, Reference(BOARD), "toy")).sentence == ""
    assert controller.engines is not None
    assert controller.engines.exact
    assert compared(driver, 50).summary().bit_exact
    assert controller.boards.status().words == "streaming"

    board.unplug()
    driver.until(lambda: driver.notices("board"))
    end = controller.feed.end
    driver.until(lambda: controller.feed.end > end + 50)  # the software engine goes on
    assert controller.boards.status().lamp == "bad"
    assert "board" in driver.notices("board")[-1].text

    board.plug()
    driver.until(lambda: controller.boards.status().words == "streaming")
    comparison = controller.feed.comparison
    assert comparison is not None
    held = comparison.summary().frames
    assert compared(driver, held + 100).summary().bit_exact  # both began anew at the same sample
    assert controller.boards.status().reconnections >= 1


def test_software_takes_over_from_a_board_that_is_pulled_and_gives_back(
    drive: Callable[..., Driver], board: VirtualBoard
) -> None:
    driver = running(drive, **parts(board))
    controller = driver.controller
    history = controller.worker.history
    choose(driver, EngineChoice(BOARD, Reference(INTEGER), "toy"))
    compared(driver, 50)
    board.unplug()
    driver.until(lambda: driver.notices("board"))
    assert "software goes on" in driver.notices("board")[-1].text
    end = controller.feed.end
    driver.until(lambda: controller.feed.end > end + 100)
    comparison = controller.feed.comparison
    assert comparison is not None
    alone = comparison.summary().frames  # what the standby computes is not the board's
    end = controller.feed.end
    driver.until(lambda: controller.feed.end > end + 50)
    assert comparison.summary().frames == alone
    board.plug()
    assert compared(driver, alone + 50).summary().bit_exact
    assert controller.worker.history is history
    assert controller.running


def test_a_board_that_is_not_there_changes_nothing(drive: Callable[..., Driver]) -> None:
    driver = running(drive, **parts())
    controller = driver.controller
    choose(driver, EngineChoice(INTEGER))
    tried = choose(driver, EngineChoice(BOARD, port="/dev/nothing"))
    assert tried.sentence == "Nothing answers at /dev/nothing: check that the board is powered."
    assert driver.notices("engines")[-1].text == tried.sentence
    assert controller.engine_choice == EngineChoice(INTEGER)
    end = controller.feed.end
    driver.until(lambda: controller.feed.end > end + 20)
    assert choose(driver, EngineChoice(INTEGER, Reference(INTEGER))).sentence.startswith("Both engines would be")


def test_a_second_network_beside_the_first(drive: Callable[..., Driver]) -> None:
    loaded: list[str] = []

    def load(name: str, progress: object) -> tuple[ShiftedEngine, None]:
        loaded.append(name)
        engine = ShiftedEngine(0.0 if not name else 2.0)
        engine.name = name or "standard"
        return engine, None

    driver = running(drive, **parts(load_engine=load))
    choose(driver, EngineChoice(FLOAT, Reference(FLOAT, "other.pt")))
    assert compared(driver, 50).summary().largest_difference == pytest.approx(2.0, abs=1e-3)
    assert loaded == ["", "other.pt"]  # the first one is not loaded again
    assert driver.controller.engines is not None
    assert driver.controller.engines.names == ("standard", "other.pt")
    assert [event.name for event in driver.said if isinstance(event, NetworkTried)] == [""]


def test_the_engine_chosen_before_the_start_is_made_with_the_network(
    drive: Callable[..., Driver], board: VirtualBoard
) -> None:
    driver = drive(MICROPHONE, engines=EngineChoice(INTEGER, Reference(BOARD), "toy"), **parts(board))
    driver.controller.start()
    assert compared(driver, 30).summary().bit_exact
    # where it cannot be made, the network is heard in floating point
    driver = drive(MICROPHONE, engines=EngineChoice(BOARD), **parts())
    driver.controller.start()
    driver.until(lambda: driver.controller.feed.end > 20 and driver.notices("engines"))
    assert driver.controller.engine_choice == EngineChoice()
    assert "Nothing answers" in driver.notices("engines")[-1].text


def test_the_float_engine_listens_until_the_others_are_ready(drive: Callable[..., Driver]) -> None:
    gate = threading.Event()

    def integer(name: str, progress: object) -> ToyEngine:
        assert gate.wait(PATIENCE)
        return ToyEngine()

    driver = drive(MICROPHONE, engines=EngineChoice(INTEGER, Reference(FLOAT)), **parts(load_integer=integer))
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 20)
    assert controller.engine_choice == EngineChoice()
    assert controller.health().notice == "loading engine…"
    gate.set()
    compared(driver, 20)
    assert controller.engine_choice.primary is INTEGER
    assert controller.health().notice == ""


def test_another_network_keeps_the_choice_of_engines(drive: Callable[..., Driver]) -> None:
    integers: list[str] = []

    def integer(name: str, progress: object) -> ToyEngine:
        integers.append(name)
        return ToyEngine()

    driver = running(drive, **parts(load_integer=integer))
    choose(driver, EngineChoice(INTEGER))
    driver.controller.set_network("mine")
    driver.until(lambda: driver.controller.network_choice == "mine")
    assert (integers, driver.controller.engine_choice.primary) == (["", "mine"], INTEGER)


def test_closing_lets_go_of_the_board(drive: Callable[..., Driver], board: VirtualBoard) -> None:
    driver = running(drive, **parts(board))
    choose(driver, EngineChoice(FLOAT, Reference(BOARD), "toy"))
    compared(driver, 10)
    client = driver.controller.boards.running
    assert client is not None
    driver.controller.close()
    assert client.client.state.value == "closed"


def test_labels_and_exactness() -> None:
    choice = EngineChoice(INTEGER, Reference(BOARD))
    assert (choice.label, choice.with_board, choice.exact) == ("integer + board", True, True)
    assert not EngineChoice(FLOAT, Reference(BOARD)).exact
    assert not EngineChoice(INTEGER, Reference(BOARD, "other")).exact
    assert EngineChoice(FLOAT, Reference(FLOAT, "x.pt")).label == "float + network"


def test_published_weights_in_window_mode_are_the_second_network(drive: Callable[..., Driver], tmp_path: Path) -> None:
    import torch

    from app import networks
    from kwscore.models.registry import create_model
    from kwscore.stream.window import WindowEngine

    torch.manual_seed(1)
    net = create_model("NanoMamba-Tiny", schedule="clip").eval()
    path = tmp_path / "best.pt"
    torch.save({"model_state_dict": net.state_dict(), "model_name": "NanoMamba-Tiny"}, path)

    def load(name: str, progress: Callable[[str], None]) -> tuple[Any, Any]:
        return networks.load_engine(name, progress) if name else (ToyEngine(), None)

    device = Device()
    device.speak()
    driver = running(drive, **parts(load_engine=load, build_source=lambda choice: device))
    tried = choose(driver, EngineChoice(FLOAT, Reference(FLOAT, str(path))))
    assert tried.sentence == ""
    engines = driver.controller.engines
    assert engines is not None
    assert isinstance(engines.reference, DeferredEngine)  # a run of a whole second must not hold the first engine up
    assert isinstance(engines.reference.engine, WindowEngine)
    comparison = compared(driver, 30)
    device.state = SourceState.STALLED
    driver.until(lambda: engines.reference.idle)  # type: ignore[union-attr]
    work_through(driver)
    logits = comparison.view(comparison.end - 30, comparison.end).logits[SECOND]
    known = logits[np.isfinite(logits[:, 0])]
    assert known.any()
    assert len(np.unique(known, axis=0)) <= 5  # ten times a second
