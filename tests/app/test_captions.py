"""Captions: each sentence follows from its figures, on made-up columns, on a real network, and in the window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox

from app import captions
from app import settings as store
from app.captions import CAPTIONS, LOOKED, Scene, caption
from app.feed import Columns
from app.sources import MICROPHONE
from app.still_feed import StillFeed
from kwscore.constants import LABELS, N_MELS
from kwscore.models.melbank import mel_filterbank
from kwscore.stream.clip import hear
from kwscore.stream.engine import StreamEngine
from tests.app.conftest import OpenWindow
from tests.app.handling import live

EXPERTS = ("non-stationary", "stationary")
WIDTH = mel_filterbank().sum(axis=1)


def scene(experts: tuple[str, ...] = EXPERTS, **changes: np.ndarray | float) -> Scene:
    """A quiet, steady scene; ``changes`` replace fields, (n, ...) or one value for the last 0.3 s."""
    n = LOOKED
    fields = {
        "low": np.full(n, -0.01), "high": np.full(n, 0.01), "level": np.full(n, -60.0),
        "mel_db": np.full((n, N_MELS), -60.0) + 20 * np.log10(WIDTH), "snr": np.tile(np.tanh(WIDTH / 15), (n, 1)),
        "routing": np.tile([0.4, 0.6], (n, 1)), "delta_mean": np.full((n, 2), 0.8), "delta_low": np.full((n, 2), 0.4),
        "delta_high": np.full((n, 2), 1.2), "posteriors": np.tile(np.eye(12)[10] * 0.9, (n, 1)),
        "pcen": np.full((n, N_MELS), 0.1), "gate_mean": np.full((n, 2), 0.7), "gate_low": np.full((n, 2), 0.3),
        "gate_high": np.full((n, 2), 0.9), "true_snr": np.full((n, N_MELS), np.nan),
        "clean_level": np.full(n, np.nan), "noise_level": np.full(n, np.nan),
    }  # fmt: skip
    for name, value in changes.items():
        if isinstance(value, np.ndarray) and len(value) == n:
            fields[name] = value
        else:
            fields[name][-captions.NOW :] = value
    columns = Columns(start=0, **{name: values.astype(np.float32) for name, values in fields.items()})
    return Scene(columns, experts, [0.5] * 10)


def clear(low: int, high: int) -> np.ndarray:
    """The quiet scene's SNR with bands [low, high) standing out."""
    snr = np.tanh(WIDTH / 15)
    snr[low:high] = np.tanh(WIDTH[low:high] / 2)
    return snr


def classes(**values: float) -> np.ndarray:
    row = np.zeros(12)
    for word, value in values.items():
        row[LABELS.index(word)] = value
    return np.tile(row, (LOOKED, 1))


CASES: list[tuple[str, Scene, str]] = [
    ("waveform", scene(), "Level −60 dBFS, within 0 dB"),
    ("waveform", scene(high=1.0), "reach full scale"),
    ("waveform", scene(level=-120.0), "Digital silence"),
    ("waveform", scene(level=-30.0), "The level rises by 30 dB to −30 dBFS."),
    ("waveform", scene(level=-75.0), "The level falls by 15 dB"),
    ("spectrogram", scene(), "spread evenly and steadily: white noise"),
    ("spectrogram", scene(level=np.linspace(-60, -20, LOOKED)), "Energy everywhere."),
    ("spectrogram", scene(mel_db=-60 + 20 * np.log10(WIDTH) + 20 * (np.arange(N_MELS) < 13)), "below 1 kHz"),
    ("spectrogram", scene(mel_db=-60 + 20 * np.log10(WIDTH) + 20 * (np.arange(N_MELS) > 32)), "hisses"),
    ("snr", scene(), "Nothing stands out (mean 0."),
    ("snr", scene(snr=clear(0, 14)), "Something stands out below 1 kHz"),
    ("snr", scene(snr=clear(0, 40)), "a noise has begun"),
    ("snr", scene(snr=np.where(np.arange(N_MELS) < 14, 0.001, np.tanh(WIDTH / 15))), "Below 1 kHz the SNR falls from"),
    ("truesnr", scene(), "Mix noise in"),
    ("truesnr", scene(true_snr=np.full((LOOKED, N_MELS), -10.0)), "No band is 6 dB above the noise"),
    ("truesnr", scene(true_snr=np.full((LOOKED, N_MELS), 20.0)), "dB too low"),
    ("pcen", scene(), "An even carpet"),
    ("pcen", scene(pcen=np.where(np.arange(N_MELS) < 9, 0.3, 0.1)), "9 of 40 bands stand out"),
    ("pcen", scene(pcen=np.nan), "does not send"),
    ("pcen", scene(experts=()), "no gain control"),
    ("routing", scene(), "Leans to the stationary expert (0.60), steady."),
    ("routing", scene(routing=np.array([0.55, 0.45])), "Routing moves to the non-stationary expert: 0.40 → 0.55."),
    ("routing", scene(experts=()), "nothing to route"),
    ("delta", scene(), "Δ steady at 0.80 and 0.80."),
    ("delta", scene(delta_mean=np.array([0.8, 2.0])), "Δ of block 2 rises from 0.80 to 2.00: what is heard now"),
    ("delta", scene(delta_mean=np.array([0.3, 0.8])), "Δ of block 1 falls from 0.80 to 0.30: the memory is kept."),
    ("delta", scene(delta_mean=np.zeros((LOOKED, 0))), "no state-space memory"),
    ("gate", scene(), "Open to 0.70 and 0.70 on average; the most closed state lets 0.30 in."),
    ("gate", scene(gate_mean=np.array([0.4, 0.7])), "The gate of block 1 closes: 0.70 → 0.40."),
    ("gate", scene(gate_mean=np.nan), "No gate is known"),
    ("posteriors", scene(), "Silence leads with 0.90: no word."),
    (
        "posteriors",
        scene(posteriors=classes(left=0.8, yes=0.1)),
        "“left” leads with 0.80, above its threshold",
    ),
    ("posteriors", scene(posteriors=classes(left=0.4, silence=0.6)), "“left” stands at 0.40: not enough"),
    ("posteriors", scene(posteriors=classes(unknown=0.9)), "none of the ten words leads with 0.90"),
]


@pytest.mark.parametrize(("key", "seen", "said"), CASES, ids=[f"{key}: {said[:24]}" for key, _, said in CASES])
def test_each_sentence_follows_from_its_figures(key: str, seen: Scene, said: str) -> None:
    text = CAPTIONS[key](seen)
    assert said in text
    assert text.endswith(".")
    assert len(text) < 110, "one line"
    assert "-" not in text.replace("state-space", "").replace("non-stationary", ""), "a real minus"


@pytest.mark.parametrize("key", CAPTIONS)
def test_soon_after_the_start_there_is_something_to_say_or_nothing(key: str) -> None:
    whole = scene().columns
    for n in (0, captions.NOW - 1, captions.NOW, LOOKED - 1):
        part = {f: getattr(whole, f)[:n] for f in whole.__slots__ if f != "start"}

        class Short:
            expert_names, thresholds = EXPERTS, [0.5] * 10

            def columns(self, start: int, stop: int, part=part) -> Columns:
                return Columns(start=0, **part)

        text = caption(key, Short(), n)  # type: ignore[arg-type]
        assert bool(text) is (n >= captions.NOW)


def test_a_noise_that_begins_is_told_by_a_real_network() -> None:
    rng = np.random.default_rng(0)
    quiet, loud = rng.normal(0, 8, 40_000), rng.normal(0, 2000, 40_000)
    engine = StreamEngine.load("NanoMamba-Tiny-DualPCEN")
    view = hear(engine, np.rint(np.concatenate([quiet, loud])).astype(np.int16)).view(None, 10_000)
    feed = StillFeed(view, engine.expert_names, [0.5] * 10)
    begun = 250 + captions.NOW
    told: Callable[[str, int], str] = lambda key, at: caption(key, feed, at)  # noqa: E731
    assert told("snr", 240).startswith("Nothing stands out")
    assert told("waveform", begun).startswith("The level rises by")
    assert "a noise has begun" in told("snr", begun)
    assert told("snr", 420).startswith("Nothing stands out"), "the floor has followed"
    assert told("pcen", 245).startswith("An even carpet")


def test_captions_in_the_window(open_window: OpenWindow, qtbot) -> None:
    window, device = live(open_window, qtbot)
    heights = {key: panel.plot.height() for key, panel in window.time_panels.items() if panel.isVisible()}
    qtbot.keyClick(window, Qt.Key.Key_I)
    panel = window.time_panels["posteriors"]
    qtbot.waitUntil(lambda: "leads with" in panel.accessibleDescription())
    assert all(window.time_panels[key].plot.height() < height for key, height in heights.items())
    assert "Leans to" in window.time_panels["routing"].accessibleDescription()
    device.speak()
    qtbot.waitUntil(lambda: "“yes” leads with" in panel.accessibleDescription(), timeout=30_000)
    qtbot.keyClick(window, Qt.Key.Key_I)
    assert panel.accessibleDescription() == panel.about
    assert {key: window.time_panels[key].plot.height() for key in heights} == heights


def test_the_switch_is_remembered(open_window: OpenWindow, qtbot) -> None:
    first, _ = live(open_window, qtbot)
    qtbot.keyClick(first, Qt.Key.Key_I)
    assert first.actions_by_name["captions"].isChecked()
    first.close()
    kept, complaint = store.load()
    assert (kept.captions, complaint) == (True, "")
    window = open_window(MICROPHONE, kept)
    assert window.actions_by_name["captions"].isChecked()
    assert window.time_panels["posteriors"]._caption is not None, "the line has its room from the start"
    qtbot.keyClick(window, Qt.Key.Key_I)
    assert window.time_panels["posteriors"]._caption is None
    window.close()
    assert store.load()[0].captions is False


def test_the_settings_dialog_switches_them(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE)
    window.do_settings()
    dialog = window.settings_dialog
    assert dialog is not None
    box = dialog.rows["captions"].control
    assert isinstance(box, QCheckBox)
    box.click()
    assert window.actions_by_name["captions"].isChecked()
    assert window.time_panels["snr"]._caption is not None
    window.actions_by_name["captions"].trigger()
    assert not box.isChecked(), "the dialog follows the key"
    dialog.close()


def test_a_placed_cursor_is_spoken_of(open_window: OpenWindow, qtbot) -> None:
    window, device = live(open_window, qtbot)
    device.speak()
    qtbot.waitUntil(lambda: bool(window.feed.marks), timeout=30_000)
    silent = 60
    window.handler("captions")(True)
    window.time_cursor.place(silent)
    window.refresh_status()
    assert "Silence leads" in window.time_panels["posteriors"].accessibleDescription()


def test_captions_need_a_live_window_only(open_window: OpenWindow) -> None:
    window = open_window(MICROPHONE)
    window.handler("captions")(True)
    window.tick()
    assert all(panel._caption == "" for key, panel in window.time_panels.items() if key in CAPTIONS)
