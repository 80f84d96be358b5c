"""Bars of the twelve classes in their fixed order."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.feed import Feed
from app.theme import Theme, font
from kwscore.constants import LABELS, N_CLASSES, WORDS


class BarsPanel(QWidget):
    """Posteriors of this moment: a bar, a figure and the word's threshold as a tick."""

    key = "bars"
    title = "Answers: all twelve, at this moment"
    about = (
        "How likely each answer is at this moment. The small tick is the word's threshold; a bar past its tick "
        "turns to the accent colour. Silence and unknown have no threshold: they are never reported."
    )

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.theme = theme
        self.feed = feed
        self.values = np.zeros(N_CLASSES)
        self._still = QPixmap()
        self._thresholds: tuple[float, ...] = ()
        self.setMinimumSize(220, 168)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(self.about)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")

    def sizeHint(self) -> QSize:
        return QSize(340, 270)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.refresh()

    def refresh(self) -> None:
        self._still = QPixmap()
        self.update()

    def advance(self, end: int) -> None:
        newest = self.feed.columns(end - 1, end)
        values = newest.posteriors[0] if len(newest) else np.zeros(N_CLASSES)
        thresholds = tuple(self.feed.thresholds)
        if thresholds != self._thresholds:
            self._thresholds = thresholds
            self._still = QPixmap()
        if self._still.isNull() or np.abs(values - self.values).max() >= 0.004:
            self.values = values
            self.update()

    def _geometry(self) -> tuple[float, float, float, float]:
        """Height of a row, left edge and width of the bars, size of the type."""
        row = (self.height() - 12) / N_CLASSES
        size = min(14.0, max(10.0, row * 0.68))
        left = 16 + size * 4.9
        return row, left, self.width() - left - 16 - size * 2.9, size

    def _paint_still(self) -> None:
        scale = self.devicePixelRatioF()
        self._still = QPixmap(self.size() * scale)
        self._still.setDevicePixelRatio(scale)
        self._still.fill(QColor(self.theme.surface))
        painter = QPainter(self._still)
        row, left, width, size = self._geometry()
        painter.setFont(font(size))
        for index, label in enumerate(LABELS):
            y = 6 + index * row
            painter.setPen(QColor(self.theme.text if index < len(WORDS) else self.theme.muted))
            painter.drawText(QRectF(0, y, left - 10, row), _RIGHT, label)
            painter.fillRect(QRectF(left, y + row * 0.22, width, row * 0.56), QColor(self.theme.raised))
        painter.end()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._still.isNull():
            self._paint_still()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._still)
        row, left, width, size = self._geometry()
        plain, strong = font(size), font(size, QFont.Weight.DemiBold)
        for index, value in enumerate(self.values):
            y = 6 + index * row
            word = index < len(self._thresholds)
            passed = word and value >= self._thresholds[index]
            colour = self.theme.accent if passed else self.theme.wave if word else self.theme.muted
            painter.fillRect(QRectF(left, y + row * 0.22, width * float(value), row * 0.56), QColor(colour))
            if word:
                x = left + width * self._thresholds[index]
                painter.fillRect(QRectF(x - 0.5, y + row * 0.12, 1.5, row * 0.76), QColor(self.theme.text))
            painter.setFont(strong if passed else plain)
            painter.setPen(QColor(self.theme.accent if passed else self.theme.text))
            painter.drawText(QRectF(left + width, y, self.width() - left - width - 16, row), _RIGHT, f"{value:.2f}")
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.refresh()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._still = QPixmap()
        super().resizeEvent(event)


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
