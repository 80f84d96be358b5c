"""A moment beside the same word without noise, both through the same network: two columns of panels, same axes."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QFont, QKeyEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from app.feature import Feature
from app.feed import Mark, Moment
from app.moments import Moments
from app.panels.delta import DeltaPanel
from app.panels.gate import GatePanel
from app.panels.overlay import exact_clock
from app.panels.pcen import PcenPanel
from app.panels.posteriors import PosteriorPanel
from app.panels.routing import RoutingPanel
from app.panels.snr import SnrPanel
from app.panels.spectrogram import SpectrogramPanel
from app.panels.timepanel import TimePanel
from app.panels.waveform import WaveformPanel
from app.still_feed import StillFeed
from app.theme import Theme, font
from kwscore.audio.rendition import Rendition, clean_rendition
from kwscore.constants import HOP, LABELS, WINDOW, WORDS
from kwscore.errors import KWScopeError
from kwscore.stream.clip import SPOKEN, WordFigures, first_peak, hear, word_figures
from kwscore.stream.detection import DetectionSettings
from kwscore.stream.history import History

if TYPE_CHECKING:
    from app.window import MainWindow

KINDS: tuple[tuple[type[TimePanel], int], ...] = (
    (WaveformPanel, 10), (SpectrogramPanel, 17), (SnrPanel, 17), (PcenPanel, 17), (RoutingPanel, 12), (DeltaPanel, 11),
    (GatePanel, 11), (PosteriorPanel, 16),
)  # fmt: skip
BEFORE, AFTER = 90, 60  # columns around the decision, at least
HELD = 400
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Side:
    """One column: what to paint, where the word was decided, and its figures."""

    title: str
    feed: StillFeed
    moment: Moment
    figures: WordFigures


def side_of_moment(
    history: History,
    moment: Moment,
    experts: tuple[str, ...],
    settings: DetectionSettings,
    said: Sequence[Mark] = (),
) -> Side:
    """The moment itself, out of the history while that still holds it. Raises KWScopeError where it does not."""
    view = history.view(moment.decided + AFTER, HELD)
    figures = word_figures(view, moment.word, moment.decided)
    mark = Mark(moment.start, moment.decided + 1, moment.word)
    feed = StillFeed(view, experts, settings.thresholds, marks=[mark], said=list(said))
    title = f"This moment: “{moment.word}”, decided at {exact_clock(moment.decided)}"
    return Side(title, feed, moment, figures)


def side_of_rendition(
    history: History, rendition: Rendition, experts: tuple[str, ...], settings: DetectionSettings
) -> Side:
    """The clean word after it went through the network; where it was not detected, its end stands for the decision."""
    whole = history.view(None, history.capacity)
    index = LABELS.index(rendition.word)
    said = Mark((rendition.start - WINDOW) / HOP + 1, (rendition.end - WINDOW) / HOP + 1, rendition.word)
    begin = max(int(said.start), 0)
    found = next((e for e in whole.events if e.event.index == index and e.decided >= begin), None)
    start, decided = (found.start, found.decided) if found else (begin, min(int(said.column), whole.end - 1))
    moment = Moment(rendition.word, start, start + first_peak(whole.posteriors[start:, index]), decided)
    marks = [Mark(start, decided + 1, rendition.word)] if found else []
    view = history.view(decided + AFTER, HELD)
    feed = StillFeed(view, experts, settings.thresholds, marks=marks, said=[said])
    title = f"“{rendition.word}” without noise{'' if found else ': not detected'}"
    return Side(title, feed, moment, word_figures(view, rendition.word, decided))


def word_to_compare(moment: Moment, said: Sequence[Mark]) -> str:
    """The word that was really said where the source knows it (it may have been taken for another), else the one that
    was detected."""
    spoken = [
        m.label for m in said if m.label in WORDS and m.start <= moment.decided and m.column >= moment.start - SPOKEN
    ]
    return spoken[-1] if spoken else moment.word


def figures_text(figures: WordFigures, experts: tuple[str, ...]) -> str:
    """One line of figures, in the order of the panels."""
    parts = [f"mean SNR {figures.snr:.2f}"]
    parts += [f"{name} {weight:.2f}" for name, weight in zip(experts, figures.routing, strict=False)]
    parts += [f"Δ {' / '.join(f'{v:.2f}' for v in figures.delta)}"] if len(figures.delta) else []
    if np.isfinite(figures.gate).all() and len(figures.gate):
        parts.append(f"B gate {' / '.join(f'{v:.2f}' for v in figures.gate)}")
    parts.append(f"posterior {figures.posterior:.2f}, next {figures.runner_up:.2f}")
    return " · ".join(parts)


class CleanDialog(QDialog):
    """Two columns; moving the mouse in one shows the values of both at the same distance from the decision."""

    def __init__(self, parent: QWidget, theme: Theme, word: str) -> None:
        super().__init__(parent)
        self.theme = theme
        self.setWindowTitle(f"This moment beside “{word}” in clean")
        self.setAccessibleName(self.windowTitle())
        self.setMinimumSize(900, 560)
        self.resize(min(1400, parent.width()), min(920, parent.height()))
        self.sides: tuple[Side, Side] | None = None
        self.panels: tuple[list[TimePanel], list[TimePanel]] = ([], [])
        self.values: list[tuple[QLabel, QLabel]] = []
        self._quiet: list[QLabel] = []  # in the muted colour
        self._at: tuple[int, float | None] | None = None  # where the cursor stands, from the decision
        self.note = QLabel("The network listens to the word in clean…")
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.note.setWordWrap(True)
        self.note.setFont(font(13))
        self._grid = QGridLayout()
        self._grid.setContentsMargins(8, 6, 8, 8)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.note)
        outer.addLayout(self._grid, 1)

    def fail(self, sentence: str) -> None:
        """Say why there is nothing to compare with."""
        self.note.setText(sentence)

    def show_sides(self, left: Side, right: Side) -> None:
        """Fill both columns."""
        self.note.hide()
        self.sides = (left, right)
        for column, side in enumerate(self.sides):
            title = QLabel(side.title)
            title.setFont(font(15, QFont.Weight.DemiBold))
            figures = QLabel(figures_text(side.figures, tuple(side.feed.expert_names)))
            figures.setFont(font(12))
            figures.setStyleSheet(f"color: {self.theme.muted}")
            self._quiet.append(figures)
            figures.setToolTip(f"Means over the {10 * SPOKEN} ms up to the decision; posterior: the highest")
            figures.setWordWrap(True)
            self._grid.addWidget(title, 0, column)
            self._grid.addWidget(figures, 1, column)
        for row, (kind, share) in enumerate(KINDS):
            labels = (self._label(kind), self._label(kind))
            self.values.append(labels)
            for column, side in enumerate(self.sides):
                panel = kind(self.theme, side.feed)
                panel.moment = side.moment
                panel.setMinimumWidth(300)
                panel.set_axis(row == len(KINDS) - 1)
                panel.hovered.connect(lambda at, height, column=column: self._point(column, at, height))
                self.panels[column].append(panel)
                self._grid.addWidget(labels[column], 2 + 2 * row, column)
                self._grid.addWidget(panel, 3 + 2 * row, column)
            self._grid.setRowStretch(3 + 2 * row, share)
        QTimer.singleShot(0, self._fit)

    def _label(self, kind: type[TimePanel]) -> QLabel:
        label = QLabel(kind.title.partition(":")[0])
        label.setFont(font(12))
        label.setToolTip(kind.about)
        label.setMinimumWidth(120)
        return label

    def _fit(self) -> None:
        """The same scale on both sides, as much of both as fits."""
        if self.sides is None:
            return
        for side, panels in zip(self.sides, self.panels, strict=True):
            for panel in panels:
                room = panel.plot.width() * panel.devicePixelRatioF()
                pitch = max(1, int(room // (BEFORE + AFTER)))
                panel.advance(min(side.moment.decided + AFTER, side.feed.end), pitch)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        QTimer.singleShot(0, self._fit)

    def _point(self, column: int, at: int | None, height: float | None) -> None:
        assert self.sides is not None
        distance = None if at is None else at - self.sides[column].moment.decided
        self._at = None if distance is None else (distance, height)
        for side, panels, place in zip(self.sides, self.panels, (0, 1), strict=True):
            for panel, (kind, _), labels in zip(panels, KINDS, self.values, strict=True):
                panel.set_cursor(None if distance is None else side.moment.decided + distance, height)
                value = panel.value_at_cursor()
                name = kind.title.partition(":")[0]
                labels[place].setText(f"{name}:  {value}" if value else name)
                panel.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right move the cursor by 10 ms, with Shift by 100; the values are said to screen readers."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None or self.sides is None:
            super().keyPressEvent(event)
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step *= 10
        distance, height = self._at or (0, None)
        self._point(0, self.sides[0].moment.decided + min(max(distance + step, -BEFORE), AFTER), height)
        said = [f"{side}: " + ", ".join(labels[place].text() for labels in self.values)
                for place, side in enumerate(("this moment", "in clean"))]  # fmt: skip
        self.setAccessibleDescription(". ".join(said))
        if QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, ". ".join(said)))

    def set_theme(self, theme: Theme) -> None:
        """The colours have changed."""
        self.theme = theme
        for label in self._quiet:
            label.setStyleSheet(f"color: {theme.muted}")
        for panel in (*self.panels[0], *self.panels[1]):
            panel.set_theme(theme)


class Clean(Feature):
    """Runs the clean word through a network of its own in a thread, then fills the dialog."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.dialog: CleanDialog | None = None
        self._done: deque[tuple[CleanDialog, tuple[Side, Side] | str]] = deque()

    def do_clean(self) -> None:
        """Compare the moment that is looked at; without one the newest detection."""
        window = self.window
        moments = next(part for part in window.features if isinstance(part, Moments))
        if moments.moment is None:
            if not window.feed.marks:
                window.notify("clean", "No word was detected yet: play the demo or say one, then compare.", "info")
                return
            moments.show(window.feed.marks[-1])
        moment, history = moments.moment, window.controller.worker.history
        if moment is None or history is None:
            return
        window.notify("clean", "")
        if self.dialog is not None:
            self.dialog.close()
        said = window.feed.truths(moment.decided - HELD, moment.decided + AFTER)
        word = word_to_compare(moment, said)
        dialog = self.dialog = CleanDialog(window, window.theme, word)
        dialog.finished.connect(self._closed)
        dialog.show()
        controller, settings, done = window.controller, window.controller.detection, self._done
        experts = tuple(window.feed.expert_names)

        def work() -> None:
            try:
                left = side_of_moment(history, moment, experts, settings, said)
                rendition = clean_rendition(word)
                engine = controller.load_spare()
                heard = hear(engine, rendition.samples, settings)
                done.append((dialog, (left, side_of_rendition(heard, rendition, tuple(engine.expert_names), settings))))
            except KWScopeError as error:
                done.append((dialog, str(error)))
            except Exception as error:
                log.exception("comparison with the clean word")
                done.append((dialog, f"The word in clean could not be heard ({error}): choose another network."))

        threading.Thread(target=work, name="kwscope-clean", daemon=True).start()

    def frame(self) -> None:
        while self._done:
            dialog, found = self._done.popleft()
            if dialog is not self.dialog:
                continue  # closed meanwhile
            if isinstance(found, str):
                dialog.fail(found)
            else:
                dialog.show_sides(*found)

    def set_theme(self, theme: Theme) -> None:
        if self.dialog is not None:
            self.dialog.set_theme(theme)

    def _closed(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    def close(self) -> None:
        if self.dialog is not None:
            self.dialog.close()
