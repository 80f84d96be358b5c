"""Waveform and level meter."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from app.feed import HELD, Columns
from app.panels.timepanel import TimePanel
from app.paths import band
from app.theme import font, scaled
from kwscore.audio.level import judge_level

CLIPPED = 0.999
FLOOR = -60.0


def compress(samples: np.ndarray) -> np.ndarray:
    """Square-root scale: quiet speech stays visible, full scale stays at the edge."""
    return np.sign(samples) * np.sqrt(np.abs(samples))


def amplitude(decibels: float) -> float:
    """Where a peak of so many dBFS lies on the square-root scale."""
    return float(10 ** (decibels / 40))


def decibels(level: float) -> str:
    """A level with a real minus sign."""
    return f"{level:.0f} dBFS".replace("-", "−") if level > -119 else "silence"


class WaveformPanel(TimePanel):
    key = "waveform"
    title = "Waveform: the sound as the network hears it, and its level"
    about = (
        "The sound as the network hears it: 16 kHz, 16 bit. The scale is a square root, so that quiet speech stays "
        "visible. The meter shows the level in dB below full scale. The bracket beside it is the range the network was "
        "trained on; speech outside it is heard worse. CLIP lights when samples reach full scale: move back or lower "
        "the gain."
    )
    empty = "Press Start (Space) to listen"
    low, high = -1.0, 1.0
    ticks = ((-amplitude(-20), "−20"), (0.0, "dBFS"), (amplitude(-20), "−20"), (1.0, "0"))
    shows_truth = True

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        xs = x + (np.arange(len(columns)) + 0.5) * self.pitch
        middle, half = height / 2, height / 2 - 1
        low = np.minimum(middle - compress(columns.low) * half, height)
        high = np.maximum(middle - compress(columns.high) * half, 0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.theme.wave))
        painter.drawPolygon(band(xs, np.maximum(low, high + 1), high))
        for column in np.flatnonzero((columns.high >= CLIPPED) | (columns.low <= -CLIPPED)):
            left = int(x + column * self.pitch)
            painter.fillRect(left, 0, self.pitch, 3, QColor(self.theme.bad))
            painter.fillRect(left, height - 3, self.pitch, 3, QColor(self.theme.bad))

    def describe(self, columns: Columns) -> str:
        return decibels(float(columns.level[0]))

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        recent = self.feed.columns(max(self.end - HELD, self.feed.first), self.end)
        if not len(recent):
            return
        theme = self.theme
        level = float(recent.level[-5:].max())
        span = self.feed.training_level
        held, verdict = judge_level(recent.level, span)
        clipped = bool((recent.high >= CLIPPED).any() or (recent.low <= -CLIPPED).any())
        meter = QRectF(side.left() + 14, side.top(), scaled(12), side.height())

        def y(decibels: float) -> float:
            return meter.bottom() - (max(decibels, FLOOR) - FLOOR) / -FLOOR * meter.height()

        painter.fillRect(meter, theme.colour("line", 0.6))
        colour = theme.bad if clipped else theme.wave
        painter.fillRect(QRectF(meter.left(), y(level), meter.width(), meter.bottom() - y(level)), QColor(colour))
        painter.fillRect(QRectF(meter.left(), y(held), meter.width(), 2), QColor(theme.text))
        if span is not None:
            painter.setPen(QPen(QColor(theme.good), 2))
            x, top, bottom = meter.left() - 5, y(span[1]), y(span[0])
            painter.drawPolyline([QPointF(x + 3, top), QPointF(x, top), QPointF(x, bottom), QPointF(x + 3, bottom)])
        painter.setPen(QColor(theme.text))
        painter.setFont(font(13, QFont.Weight.DemiBold))
        text = QRectF(meter.right() + 8, side.top(), side.right() - meter.right() - 10, scaled(18))
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft, decibels(level))
        if clipped:
            self.tag(painter, "CLIP", text.left(), text.bottom() + 3, QColor(theme.bad), theme.surface)
        elif side.height() > scaled(54):  # of the held level, as in the status bar
            painter.setFont(font(11))
            painter.setPen(QColor(theme.muted))
            lines = f"loudest {decibels(held).removesuffix(' dBFS')}\n{verdict}"
            below = text.translated(0, scaled(19)).adjusted(0, 0, 0, scaled(16))
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, lines)
