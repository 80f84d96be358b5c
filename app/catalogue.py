"""Every panel of the window in one list: adding one is a line in ``PANELS`` (and, for a key of its own, one in
``app.commands.COMMANDS`` with ``dock="its key"``).

A panel is a widget made once, with ``title``, ``about`` and ``set_theme(theme)``. The window wraps it in a dock,
lists it in the View menu, remembers where it stands and hands it the theme. Time panels (``TimePanel``) are painted
and moved by the window without further ado; the hooks of ``PanelSpec`` are for all others.

What is no panel but takes part in the window (a recorder, a mixer) is a ``app.feature.Feature`` in ``FEATURES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from app.calibration_feature import CalibrationFeature
from app.captions import Captions
from app.clean import Clean
from app.cursor import Cursor
from app.engine_menu import EngineFeature
from app.experiment import ExperimentFeature
from app.feature import Feature
from app.moments import Moments
from app.noise_feature import NoiseFeature
from app.noise_panel import NoisePanel
from app.panel_export import PanelPictures
from app.panels.bars import BarsPanel
from app.panels.comparison import ComparedLogitsPanel, ComparedPosteriorsPanel, DifferencePanel
from app.panels.comparison_figures import ComparisonPanel
from app.panels.delta import DeltaPanel
from app.panels.detection import DetectionPanel
from app.panels.gate import GatePanel
from app.panels.log import LogPanel
from app.panels.notes import NotesPanel
from app.panels.pcen import PcenPanel
from app.panels.posteriors import PosteriorPanel
from app.panels.readout import ReadoutPanel
from app.panels.routing import RoutingPanel
from app.panels.snr import SnrPanel
from app.panels.spectrogram import SpectrogramPanel
from app.panels.timing import TimingPanel
from app.panels.truesnr import TrueSnrPanel
from app.panels.waveform import WaveformPanel
from app.session_notes import Notes
from app.session_recording import Recording
from app.session_replay import Replay
from app.tour import Tour
from app.watch import Watch

if TYPE_CHECKING:
    from app.window import MainWindow


class Area(StrEnum):
    """Where a panel stands in the standard layout."""

    TIME = "time"  # the wide column at the left, on the shared time axis
    SIDE = "side"  # the column at the right
    BEHIND = "behind"  # tabs behind the log, at the right
    BELOW = "below"  # tabs under both columns


STANDARD, RESEARCHER, FPGA, BOOTH = "standard", "researcher", "fpga", "booth"
"""Presets of ``app.presets``."""
USUAL = (STANDARD, RESEARCHER)
ALWAYS = (STANDARD, RESEARCHER, FPGA, BOOTH)


@dataclass(frozen=True, slots=True)
class PanelSpec:
    """One panel. ``key``: its name in saved layouts, never to be changed. ``make``: builds it for a window.
    ``share``: its part of the column's height beside the others'. ``presets``: the layouts that show it.

    ``frame(window, panel)`` is called with every frame while the dock is visible, ``status(window, panel)`` a few
    times a second, ``event(window, panel, event)`` with everything that the controller reports and ``connect(window,
    panel)`` once, when the whole window is built.
    """

    key: str
    make: Callable[[MainWindow], Any]
    area: Area
    share: int = 16
    presets: tuple[str, ...] = ()
    frame: Callable[[MainWindow, Any], object] | None = None
    status: Callable[[MainWindow, Any], object] | None = None
    event: Callable[[MainWindow, Any, object], object] | None = None
    connect: Callable[[MainWindow, Any], object] | None = None


PANELS: tuple[PanelSpec, ...] = (
    PanelSpec("waveform", lambda w: WaveformPanel(w.theme, w.feed), Area.TIME, 14, ALWAYS),
    PanelSpec("spectrogram", lambda w: SpectrogramPanel(w.theme, w.feed), Area.TIME, 17, ALWAYS),
    PanelSpec("snr", lambda w: SnrPanel(w.theme, w.feed), Area.TIME, 17, USUAL),
    PanelSpec("truesnr", lambda w: TrueSnrPanel(w.theme, w.feed), Area.TIME, 20, (RESEARCHER,)),
    PanelSpec("pcen", lambda w: PcenPanel(w.theme, w.feed), Area.TIME, 16, (RESEARCHER,)),
    PanelSpec("routing", lambda w: RoutingPanel(w.theme, w.feed), Area.TIME, 12, USUAL),
    PanelSpec("delta", lambda w: DeltaPanel(w.theme, w.feed), Area.TIME, 12, USUAL),
    PanelSpec("gate", lambda w: GatePanel(w.theme, w.feed), Area.TIME, 12, (RESEARCHER,)),
    PanelSpec("posteriors", lambda w: PosteriorPanel(w.theme, w.feed), Area.TIME, 18, (*USUAL, FPGA)),
    PanelSpec(
        "readout",
        lambda w: ReadoutPanel(w.theme, w.feed),
        Area.SIDE,
        27,
        ALWAYS,
        frame=lambda w, panel: panel.advance(w.display.end, w.controller.caption(w.display.end)),
        status=lambda w, panel: panel.set_hint(w.controller.waiting),
    ),
    PanelSpec(
        "bars",
        lambda w: BarsPanel(w.theme, w.feed),
        Area.SIDE,
        30,
        ALWAYS,
        frame=lambda w, panel: panel.advance(w.display.end),
    ),
    PanelSpec("log", lambda w: LogPanel(w.theme), Area.SIDE, 26, (*USUAL, FPGA)),
    PanelSpec("notes", lambda w: NotesPanel(w.theme), Area.BEHIND, presets=()),
    PanelSpec("detection", lambda w: DetectionPanel(w.theme, w.controller.detection), Area.BEHIND, presets=()),
    PanelSpec(
        "timing",
        lambda w: TimingPanel(w.theme, w.feed),
        Area.BELOW,
        20,
        (RESEARCHER,),
        frame=lambda w, panel: panel.advance(w.display.end, w.shown_columns(), not w.display.frozen),
        status=lambda w, panel: panel.set_hint(w.controller.waiting),
    ),
    PanelSpec("compared_posteriors", lambda w: ComparedPosteriorsPanel(w.theme, w.feed), Area.TIME, 16, (FPGA,)),
    PanelSpec("compared_logits", lambda w: ComparedLogitsPanel(w.theme, w.feed), Area.TIME, 16, (FPGA,)),
    PanelSpec("difference", lambda w: DifferencePanel(w.theme, w.feed), Area.TIME, 14, (FPGA,)),
    PanelSpec("noise", lambda w: NoisePanel(w.theme, w.settings.noise_folder), Area.BEHIND, presets=()),
    PanelSpec(
        "comparison",
        lambda w: ComparisonPanel(w.theme, w.feed),
        Area.BELOW,
        20,
        (FPGA,),
        frame=lambda w, panel: panel.advance(w.controller.boards.status()),
        connect=lambda w, panel: panel.count_anew_wanted.connect(w.controller.count_anew),
    ),
)
"""Time panels from top to bottom, then the others. Ctrl+1 to Ctrl+9 are the first nine."""

FEATURES: tuple[Callable[[MainWindow], Feature], ...] = (
    EngineFeature,
    NoiseFeature,
    CalibrationFeature,
    Cursor,
    Moments,
    Clean,
    Captions,
    Tour,
    ExperimentFeature,
    PanelPictures,
    Recording,
    Replay,
    Notes,
    Watch,
)
"""Parts without a panel, made in this order once the window is built."""

BY_KEY = {spec.key: spec for spec in PANELS}
assert len(BY_KEY) == len(PANELS), "a panel's key is given twice"


def keys_in(*areas: Area) -> tuple[str, ...]:
    """Keys of the panels whose place is one of ``areas``, in order."""
    return tuple(spec.key for spec in PANELS if spec.area in areas)
