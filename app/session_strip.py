"""A whole session as one strip: where its words and notes are, where it is heard now; a click goes there."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app.panels.timepanel import clock, scale_width, side_width
from app.theme import Theme, font, scaled
from kwscore.constants import SAMPLE_RATE
from kwscore.session.reader import Session

STEP = 5 * SAMPLE_RATE
_HEIGHT = 34  # px at 100 % text size


class SessionTrack(QWidget):
    """The part that is painted. ``position``: session sample that is heard now, or None."""

    seek_wanted = Signal(int)  # session sample

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.session: Session | None = None
        self.position: int | None = None
        self._drawn: tuple[object, ...] = ()
        self.setFixedHeight(scaled(_HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Session")
        self.setToolTip(
            "<p><b>Session</b></p><p>The whole recording. Ticks are the words that were reported while recording, "
            "flags are notes; a click (← and → by 5 s) goes on from there. The ten seconds before it come at once, so "
            "that the network has warmed up.</p>"
        )

    def sizeHint(self) -> QSize:
        return QSize(900, scaled(_HEIGHT))

    def show_session(self, session: Session | None, position: int | None) -> None:
        """What is replayed and where."""
        notes = len(session.history) if session is not None else 0
        state = (id(session), notes, None if position is None else position // (SAMPLE_RATE // 4))
        self.session, self.position = session, position
        if state != self._drawn:
            self._drawn = state
            if session is not None and position is not None:
                heard = f"{clock(position / SAMPLE_RATE)} of {clock(session.seconds)}"
                self.setAccessibleDescription(f"{session.path.name}: {heard}")
            self.update()

    def refresh(self) -> None:
        self.setFixedHeight(scaled(_HEIGHT))
        self._drawn = ()
        self.update()

    @property
    def track(self) -> QRectF:
        left = scale_width()
        return QRectF(left, 11, max(self.width() - left - 6, 20), self.height() - 17)

    def x_of(self, sample: float) -> float:
        length = max(self.session.length, 1) if self.session is not None else 1
        return self.track.left() + sample / length * self.track.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, track, session = self.theme, self.track, self.session
        painter.fillRect(self.rect(), QColor(theme.surface))
        painter.setFont(font(11))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(0, track.top(), scale_width() - 7, track.height()), _RIGHT, "session")
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.setBrush(QColor(theme.raised))
        painter.drawRoundedRect(track, 4, 4)
        if session is None:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        if session.spans:
            for start, end in session.kept:
                left = self.x_of(start)
                span = QRectF(left, track.top(), max(self.x_of(end) - left, 1.5), track.height())
                painter.fillRect(span, theme.colour("wave", 0.35))
        elif self.position is not None:
            heard = QRectF(track.left(), track.top(), self.x_of(self.position) - track.left(), track.height())
            painter.fillRect(heard, theme.colour("wave", 0.25))
        for sample in session.events:
            x = self.x_of(sample.decided)
            painter.fillRect(QRectF(x - 0.75, track.top() + 2, 1.5, track.height() - 4), QColor(theme.accent))
        painter.setBrush(QColor(theme.text))
        for note in session.notes:
            x = self.x_of(note.position)
            painter.fillRect(QRectF(x - 0.5, track.top() - 8, 1, track.height() + 8), QColor(theme.text))
            flag = [QPointF(x, track.top() - 9), QPointF(x + 8, track.top() - 6), QPointF(x, track.top() - 3)]
            painter.drawPolygon(QPolygonF(flag))
        if self.position is not None:
            painter.setBrush(QColor(theme.surface))
            painter.setPen(QPen(QColor(theme.text), 1.5))
            painter.drawRoundedRect(QRectF(self.x_of(self.position) - 3, track.top() - 3, 6, track.height() + 6), 2, 2)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.drawRoundedRect(track.adjusted(-2, -2, 2, 2), 5, 5)
        painter.end()

    def _seek(self, x: float) -> None:
        if self.session is not None:
            share = min(max((x - self.track.left()) / self.track.width(), 0.0), 1.0)
            self.seek_wanted.emit(round(share * self.session.length))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._seek(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: -STEP, Qt.Key.Key_Right: STEP}
        if event.key() in moves and self.session is not None:
            wanted = (self.position or 0) + moves[Qt.Key(event.key())]
            self.seek_wanted.emit(min(max(wanted, 0), self.session.length))
            return
        super().keyPressEvent(event)


class SessionStrip(QWidget):
    """The track, how far it is, and the proof that a replay is what was recorded."""

    verify_wanted = Signal()
    export_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setAccessibleName("Recorded session")
        self.setAutoFillBackground(True)
        self.track = SessionTrack(theme)
        self.label = QLabel("")
        self.export_button = self._button("Export…", "Write sound, telemetry or words to a file", self.export_wanted)
        self.verify_button = self._button(
            "Verify", "Compute all of it again with the same network: every bit must be the same", self.verify_wanted
        )
        self.side = side = QWidget()
        side.setObjectName("side")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        inner = QHBoxLayout(side)
        inner.setContentsMargins(8, 0, 8, 0)
        inner.setSpacing(4)
        for widget in (self.label, self.export_button, self.verify_button):
            inner.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.track, 1)
        row.addWidget(side)
        self.set_theme(theme)

    def _button(self, text: str, tip: str, signal: object) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(f"{text.rstrip('…')} session")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(signal)
        return button

    def set_theme(self, theme: Theme) -> None:
        self.track.theme = theme
        self.side.setMinimumWidth(side_width())
        self.side.setStyleSheet(f"#side {{ background: {theme.surface}; }}")
        self.label.setFont(font(12))
        self.label.setStyleSheet(f"color: {theme.muted}")
        self.track.refresh()

    def show_session(self, session: Session | None, position: int | None) -> None:
        """See ``SessionTrack.show_session``."""
        self.track.show_session(session, position)
        whole = clock(session.seconds) if session is not None else ""
        text = f"{clock((position or 0) / SAMPLE_RATE)} of {whole}" if session is not None else ""
        if self.label.text() != text:
            self.label.setText(text)

    def set_verifying(self, share: float | None) -> None:
        """How far a verification is, 0..1; None: there is none."""
        self.verify_button.setEnabled(share is None)
        self.verify_button.setText("Verify" if share is None else f"Verifying {100 * share:.0f} %")


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
