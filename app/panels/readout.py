"""The word that was heard last, legible from two metres."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.feed import COLUMNS_PER_SECOND, Feed, Mark
from app.theme import Theme, font, scaled
from kwscore.constants import LABELS

LEAST = 132  # px, height at 100 % text size
FRESH = 1.2  # s that a word stays in the accent colour
OLD = 6.0  # s after which the read-out goes back to listening


class _Shown(NamedTuple):
    """What decides the picture: it is painted again only when this changes."""

    mark: Mark | None
    fresh: bool
    caption: str
    ahead: str
    live: bool


_NOTHING = _Shown(None, False, "", "", False)


class ReadoutPanel(QWidget):
    """Huge word, score, and what the playlist is playing."""

    key = "readout"
    title = "Word: the last one that was heard"
    about = (
        "The last word that the network reported, with the highest posterior it has reached since, from "
        "0 to 1. It fades when it is some seconds old. Below: which of the twelve answers is ahead at this moment, "
        "silence and unknown among them."
    )
    empty = (
        "Press Start (Space) and say yes, no, up, down, left, right, on, off, stop or go.\n"
        "New here? Shift + F1 shows you around."
    )

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.theme = theme
        self.feed = feed
        self.end = 0
        self.caption = ""
        self._hint = ""
        self._shown = _NOTHING
        self.setMinimumSize(220, scaled(LEAST, 0.4))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Last word")
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")

    def sizeHint(self) -> QSize:
        return QSize(340, 240)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setMinimumHeight(scaled(LEAST, 0.4))
        self.update()

    def set_hint(self, text: str) -> None:
        """What to say instead of ``empty`` while there is nothing to show."""
        if text != self._hint:
            self._hint = text
            self.update()

    def refresh(self) -> None:
        self._shown = _NOTHING
        self.update()

    def word(self) -> Mark | None:
        """The newest detection that is still shown."""
        marks = self.feed.detections(self.end - int(OLD * COLUMNS_PER_SECOND), self.end)
        return max(marks, key=lambda mark: mark.column) if marks else None

    def advance(self, end: int, caption: str) -> None:
        """Show the state at column ``end``; paints only when something on it changed."""
        self.end, self.caption = end, caption
        mark = self.word()
        fresh = mark is not None and end - mark.column < FRESH * COLUMNS_PER_SECOND
        newest = self.feed.columns(end - 1, end)
        ahead = ""
        if len(newest):
            index = int(newest.posteriors[0].argmax())
            ahead = f"{LABELS[index]} {newest.posteriors[0, index]:.1f}"
        state = _Shown(mark, fresh, caption, ahead, self.feed.end > 0)
        if state != self._shown:
            self._shown = state
            spoken = f"{mark.label}, score {mark.score:.2f}" if mark else "listening"
            self.setAccessibleDescription(spoken)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, area = self.theme, QRectF(self.rect())
        painter.fillRect(area, QColor(theme.surface))
        mark, fresh, caption, ahead, live = self._shown
        inner = area.adjusted(16, 10, -16, -10)
        if not live:
            painter.setFont(font(15))
            painter.setPen(QColor(theme.muted))
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._hint or self.empty)
            painter.end()
            return
        row = scaled(20)
        foot = (2.0 if caption else 1.0) * row + 2
        head = QRectF(inner.left(), inner.top(), inner.width(), inner.height() - foot)
        if mark is not None:
            colour = QColor(theme.accent if fresh else theme.text)
            score_height = min(float(scaled(44)), head.height() * 0.24)
            word = QRectF(head.left(), head.top(), head.width(), head.height() - score_height)
            painter.setPen(colour)
            painter.setFont(self._fitted("right", word, mark.label))
            painter.drawText(word, Qt.AlignmentFlag.AlignCenter, mark.label)
            painter.setFont(font(score_height * 0.72, QFont.Weight.DemiBold, fixed=True))
            painter.setPen(QColor(theme.muted))
            under = QRectF(head.left(), word.bottom(), head.width(), score_height)
            painter.drawText(under, Qt.AlignmentFlag.AlignCenter, f"{mark.score:.2f}")
        else:
            painter.setFont(font(min(scaled(34), head.height() * 0.3), family="Inter Display", fixed=True))
            painter.setPen(QColor(theme.muted))
            painter.drawText(head, Qt.AlignmentFlag.AlignCenter, "listening…")
        painter.setFont(font(12))
        painter.setPen(QColor(theme.muted))
        line = QRectF(inner.left(), inner.bottom() - foot, inner.width(), row)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, f"ahead now: {ahead}")
        if caption:
            face = font(12, QFont.Weight.DemiBold)
            painter.setFont(face)
            painter.setPen(QColor(theme.text))
            text = QFontMetricsF(face).elidedText(caption, Qt.TextElideMode.ElideRight, inner.width())
            painter.drawText(line.translated(0, row), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()

    def _fitted(self, widest: str, area: QRectF, text: str) -> QFont:
        """The largest type in which every word fits, so that the size does not jump from word to word."""
        face = font(100, QFont.Weight.Bold, "Inter Display", fixed=True)
        width = max(QFontMetricsF(face).horizontalAdvance(each) for each in (widest, text or widest))
        size = min(area.width() / width, area.height() / QFontMetricsF(face).height()) * 100
        return font(min(size, 420), QFont.Weight.Bold, "Inter Display", fixed=True)
