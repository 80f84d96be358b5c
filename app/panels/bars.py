"""Bars of the twelve classes in their fixed order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.feed import Feed
from app.theme import Theme, font, scaled
from kwscore.constants import LABELS, N_CLASSES, WORDS

LEAST = 168  # px, height at 100 % text size
SHORTEST = 40  # px, the longest bar


class _Geometry(NamedTuple):
    """``rows`` of a column, height of a ``row``, width of a ``column``; ``left`` edge and ``width`` of its bars; the
    space ``edge``; ``size`` of the type. All in pixels."""

    rows: int
    row: float
    column: float
    left: float
    width: float
    edge: float
    size: float

    def box(self, index: int) -> QRectF:
        """The place of a bar, as high as its row."""
        column, row = divmod(index, self.rows)
        return QRectF(column * self.column + self.left, 6 + row * self.row, self.width, self.row)


def _bar(box: QRectF, value: float) -> QRectF:
    return QRectF(box.left(), box.top() + box.height() * 0.22, box.width() * value, box.height() * 0.56)


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
        self._set_least()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(self.about)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")

    def sizeHint(self) -> QSize:
        return QSize(340, 270)

    def _set_least(self) -> None:
        self.setMinimumSize(220, scaled(LEAST, 0.1))  # low rows stand in two columns

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._set_least()
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

    def _geometry(self) -> _Geometry:
        """One column, or two where the rows of one would be too low for the text."""
        rows, columns, edge = N_CLASSES, 1, 16
        if (self.height() - 12) / rows < scaled(12):
            rows, columns, edge = N_CLASSES // 2, 2, 8
        row, column = (self.height() - 12) / rows, self.width() / columns
        size = min(float(scaled(14)), row * 0.68, (column - 2 * edge - SHORTEST) / 7.8)
        size = max(size, 10.0)
        left = edge + size * 4.9
        return _Geometry(rows, row, column, left, column - left - edge - size * 2.9, edge, size)

    def _paint_still(self) -> None:
        scale = self.devicePixelRatioF()
        self._still = QPixmap(self.size() * scale)
        self._still.setDevicePixelRatio(scale)
        self._still.fill(QColor(self.theme.surface))
        painter = QPainter(self._still)
        self._draw_still(painter)
        painter.end()

    def _draw_still(self, painter: QPainter) -> None:
        place = self._geometry()
        painter.setFont(font(place.size, fixed=True))
        for index, label in enumerate(LABELS):
            box = place.box(index)
            painter.setPen(QColor(self.theme.text if index < len(WORDS) else self.theme.muted))
            painter.drawText(QRectF(box.left() - place.left, box.top(), place.left - 10, box.height()), _RIGHT, label)
            painter.fillRect(_bar(box, 1.0), QColor(self.theme.raised))

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._still.isNull():
            self._paint_still()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._still)
        self._draw_values(painter)
        painter.end()

    @property
    def whole_height(self) -> int:
        """Logical pixels that ``paint_whole`` needs."""
        return self.height()

    def paint_whole(self, painter: QPainter) -> None:
        """Paint what is seen at any scale and on any device: nothing comes from pixmaps."""
        painter.fillRect(self.rect(), QColor(self.theme.surface))
        self._draw_still(painter)
        self._draw_values(painter)

    def _draw_values(self, painter: QPainter) -> None:
        place = self._geometry()
        plain, strong = font(place.size, fixed=True), font(place.size, QFont.Weight.DemiBold, fixed=True)
        for index, value in enumerate(self.values):
            box = place.box(index)
            word = index < len(self._thresholds)
            passed = word and value >= self._thresholds[index]
            colour = self.theme.accent if passed else self.theme.wave if word else self.theme.muted
            painter.fillRect(_bar(box, float(value)), QColor(colour))
            if word:
                x, tall = box.left() + box.width() * self._thresholds[index], box.height()
                painter.fillRect(QRectF(x - 0.5, box.top() + tall * 0.12, 1.5, tall * 0.76), QColor(self.theme.text))
            painter.setFont(strong if passed else plain)
            painter.setPen(QColor(self.theme.accent if passed else self.theme.text))
            rest = place.column - place.left - place.width - place.edge
            painter.drawText(QRectF(box.right(), box.top(), rest, box.height()), _RIGHT, f"{value:.2f}")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.refresh()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._still = QPixmap()
        super().resizeEvent(event)


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
