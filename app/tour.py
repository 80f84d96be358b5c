"""A tour of five steps for somebody who sees the window for the first time: one panel after the other is lit up and
explained while the demo plays. It can be left at any moment, and leaves things as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app import settings as store
from app.feature import Feature
from app.sources import DEMO, Choice
from app.theme import Theme, font, scaled

if TYPE_CHECKING:
    from app.window import MainWindow

GAP = 14  # px between what is explained and the bubble


@dataclass(frozen=True, slots=True)
class Step:
    """``targets``: what is lit up, by the keys of its docks; empty: the toolbar."""

    title: str
    text: str
    targets: tuple[str, ...] = ()


STEPS = (
    Step(
        "This is the sound",
        "The demo is playing: voices say ten words, first in a quiet room and then in noise. The newest sound is at "
        "the right, and the bracket beside the meter is the loudness that the network was trained on.",
        ("waveform", "spectrogram"),
    ),
    Step(
        "What stands out of the noise",
        "For each pitch the network estimates how far the sound rises above the noise: bright is clear, dark is noise. "
        "From this it decides below how to even out the loudness, once for steady noise and once for changing noise.",
        ("snr", "routing"),
    ),
    Step(
        "Its memory",
        "A step size says how fast the network overwrites what it remembers. It leaps when a word begins and rests in "
        "between, which is how 5,000 numbers are enough.",
        ("delta",),
    ),
    Step(
        "How sure it is",
        "Each curve is one word, a hundred times a second. When a curve stays above the dashed threshold the word is "
        "reported and marked through all panels.",
        ("posteriors", "bars"),
    ),
    Step(
        "The word, and now you",
        "Here stands the last word that was heard, large enough to be read from two metres. Take the microphone and "
        "say yes, no, up, down, left, right, on, off, stop or go.",
        ("readout",),
    ),
)


class _Button(QPushButton):
    """Leaves the arrow keys, with which Qt's buttons move the focus, to the tour."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            event.ignore()
        else:
            super().keyPressEvent(event)


class _Bubble(QWidget):
    """Title, two sentences, and where to go from here."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("bubble")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.count, self.title, self.text = QLabel(), QLabel(), QLabel()
        for label in (self.title, self.text):
            label.setWordWrap(True)
        self.skip, self.back = _Button("Skip"), _Button("Back")
        self.microphone, self.next = _Button("Use my microphone"), _Button("Next")
        for button, tip in (
            (self.skip, "Leave the tour (Esc)"),
            (self.back, "The step before (←)"),
            (self.microphone, "End the tour and listen to the microphone"),
            (self.next, "The next step (→)"),
        ):
            button.setToolTip(tip)
            button.setAutoDefault(True)
        row = QHBoxLayout()
        row.addWidget(self.skip)
        row.addStretch(1)
        for button in (self.back, self.microphone, self.next):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 14)
        column.setSpacing(8)
        for widget in (self.count, self.title, self.text):
            column.addWidget(widget)
        column.addSpacing(4)
        column.addLayout(row)

    def set_theme(self, theme: Theme) -> None:
        self.count.setFont(font(12))
        self.count.setStyleSheet(f"color: {theme.accent}; font-weight: 600")
        self.title.setFont(font(18, QFont.Weight.DemiBold))
        self.title.setStyleSheet("font-weight: 600")
        self.text.setFont(font(14))
        self.setStyleSheet(
            f"#bubble {{ background: {theme.surface}; border: 1px solid {theme.accent}; border-radius: 10px; }}"
        )

    def show_step(self, number: int) -> None:
        step, last = STEPS[number], number == len(STEPS) - 1
        self.count.setText(f"Step {number + 1} of {len(STEPS)}")
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.setAccessibleName(f"{self.count.text()}: {step.title}")
        self.setAccessibleDescription(step.text)
        self.back.setEnabled(number > 0)
        self.skip.setVisible(not last)
        self.microphone.setVisible(last)
        self.next.setText("Done" if last else "Next")
        self.setFixedWidth(scaled(400))
        self.adjustSize()


class Overlay(QWidget):
    """A veil over the window with the targets left clear, and the bubble beside them."""

    def __init__(self, window: MainWindow, theme: Theme) -> None:
        super().__init__(window)
        self.host, self.theme = window, theme
        self.number = 0
        self.left: Callable[[bool], None] = lambda microphone: None
        self._lit: list[QRect] = []
        self.bubble = _Bubble(self)
        self.bubble.skip.clicked.connect(lambda: self.left(False))
        self.bubble.back.clicked.connect(lambda: self.go(self.number - 1))
        self.bubble.next.clicked.connect(lambda: self.go(self.number + 1))
        self.bubble.microphone.clicked.connect(lambda: self.left(True))
        self.setAccessibleName("Tour")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_theme(theme)
        self.hide()
        window.installEventFilter(self)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.bubble.set_theme(theme)
        self.bubble.show_step(self.number)
        self.update()

    def go(self, number: int) -> None:
        """Show a step; past the last one the tour is over."""
        if number >= len(STEPS):
            self.left(False)
            return
        self.number = max(number, 0)
        for key in reversed(STEPS[self.number].targets):  # where panels share a place, what is explained is in front
            self.host.docks[key].raise_()
        self.bubble.show_step(self.number)
        self.place()
        self.bubble.next.setFocus()

    def place(self) -> None:
        """Where the targets are now; called with every frame, as docks may move."""
        self.setGeometry(self.host.rect())
        self.raise_()
        lit = [
            QRect(dock.mapTo(self.host, QPoint(0, 0)), dock.size())
            for key in STEPS[self.number].targets
            if (dock := self.host.docks[key]).isVisible() and not dock.isFloating()
        ]
        spot = self._beside(lit)
        if lit != self._lit or spot != self.bubble.pos():
            self._lit = lit
            self.bubble.move(spot)
            self.update()

    def _beside(self, lit: list[QRect]) -> QPoint:
        """A place for the bubble that covers none of ``lit`` where there is one: right, left, below, above."""
        size, room = self.bubble.size(), self.rect().adjusted(GAP, GAP, -GAP, -GAP)
        if not lit:
            return room.center() - QPoint(size.width() // 2, size.height() // 2)
        first = lit[0]
        middle = first.center().y() - size.height() // 2
        spots = [
            QPoint(first.right() + GAP, middle),
            QPoint(first.left() - GAP - size.width(), middle),
            QPoint(first.center().x() - size.width() // 2, max(each.bottom() for each in lit) + GAP),
            QPoint(first.center().x() - size.width() // 2, min(each.top() for each in lit) - GAP - size.height()),
            QPoint(first.center().x() - size.width() // 2, first.bottom() + GAP),
        ]

        def held(spot: QPoint) -> QRect:
            x = min(max(spot.x(), room.left()), room.right() - size.width())
            y = min(max(spot.y(), room.top()), room.bottom() - size.height())
            return QRect(QPoint(x, y), size)

        def covered(place: QRect) -> int:
            parts = [place.intersected(each) for each in lit]
            return sum(part.width() * part.height() for part in parts if not part.isEmpty())

        return min((held(spot) for spot in spots), key=covered).topLeft()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.place()
        return False

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab stays on the bubble: what lies behind the veil is out of reach."""
        bubble = self.bubble
        row = (bubble.skip, bubble.back, bubble.microphone, bubble.next)
        buttons = [button for button in row if button.isVisible() and button.isEnabled()]
        if not buttons:  # the tour is being left
            return super().focusNextPrevChild(forward)
        at = next((i for i, button in enumerate(buttons) if button.hasFocus()), -1 if forward else 0)
        buttons[(at + (1 if forward else -1)) % len(buttons)].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.text().isalpha():
            event.accept()  # letters are commands of the window, which is behind the veil
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.left(False)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Space, Qt.Key.Key_PageDown):
            self.go(self.number + 1)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_PageUp):
            self.go(self.number - 1)
        event.accept()  # nothing reaches the window behind

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QPainterPath()
        veil.setFillRule(Qt.FillRule.OddEvenFill)
        veil.addRect(QRectF(self.rect()))
        for each in self._lit:
            veil.addRoundedRect(QRectF(each), 6, 6)
        shade = QColor(self.theme.window if self.theme.dark else self.theme.text)
        shade.setAlphaF(0.72 if self.theme.dark else 0.5)
        painter.fillPath(veil, shade)
        painter.setPen(QPen(QColor(self.theme.accent), 2))
        for each in self._lit:
            painter.drawRoundedRect(QRectF(each).adjusted(1, 1, -1, -1), 6, 6)
        painter.end()


class Tour(Feature):
    """Plays the demo in the standard layout meanwhile; afterwards layout and source are as before."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.overlay: Overlay | None = None
        self._before: tuple[QByteArray, int, Choice | None] | None = None  # layout, pitch, what was heard

    @property
    def running(self) -> bool:
        return self.overlay is not None and self.overlay.isVisible()

    def do_tour(self) -> None:
        """Begin, or leave."""
        if self.running:
            self._leave(False)
            return
        window = self.window
        window.arrangement.end_enlargement()
        window.settings.toured = True
        window.notify("tour", "")
        controller, source = window.controller, window.settings.source
        heard = controller.choice if controller.running else None
        self._before = window.saveState(store.VERSION), window.display.pitch, heard
        window.do_layout()
        if heard != DEMO:
            window.listen_to(DEMO)
            window.settings.source = source  # what the user chose is what the next start listens to
        window.do_live()
        if self.overlay is None:
            self.overlay = Overlay(window, window.theme)
            self.overlay.left = self._leave
        self.overlay.show()
        self.overlay.raise_()
        self.overlay.go(0)

    def _leave(self, microphone: bool) -> None:
        choice = self._put_back()
        self.window.setFocus()
        if microphone:
            self.window.do_microphone()
        elif choice is not None and choice != self.window.controller.choice:
            source = self.window.settings.source
            self.window.listen_to(choice)
            self.window.settings.source = source

    def _put_back(self) -> Choice | None:
        """Hide the tour, restore the layout; return what was heard before."""
        if self.overlay is not None:
            self.overlay.hide()
        if self._before is None:
            return None
        layout, pitch, choice = self._before
        self._before = None
        self.window.arrangement.restore(layout, store.VERSION)
        self.window.display.pitch = pitch
        return choice

    def frame(self) -> None:
        if self.running and self.overlay is not None:
            self.overlay.place()

    def set_theme(self, theme: Theme) -> None:
        if self.overlay is not None:
            self.overlay.set_theme(theme)

    def close(self) -> None:
        self._put_back()
