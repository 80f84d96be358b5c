"""Posteriors of the twelve classes with the threshold."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from app.feed import Columns
from app.panels.timepanel import TAG, TimePanel
from app.paths import draw_dashed, polyline
from app.theme import scaled
from kwscore.constants import LABELS, SILENCE, UNKNOWN, WORDS

NOTHING = 0.006  # lines this low are not painted: twelve of them on the axis would look like one
SHOWN = 0.08  # classes below are not labelled at the right


class PosteriorPanel(TimePanel):
    key = "posteriors"
    title = "Posteriors: how sure the network is of each word"
    about = (
        "One line a class, all twelve together always 1. A word is reported when its line stays above the dashed "
        "threshold. Grey lines are the two answers that are no word: silence (dashed) and unknown speech (dotted). "
        "A line that rises but stays below the threshold was nearly a detection."
    )
    empty = "Press Start (Space): here a line rises for each word"
    ticks = ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))
    shows_truth = True

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        xs = x + (np.arange(len(columns)) + 0.5) * self.pitch
        ys = np.where(columns.posteriors < NOTHING, height + 6, (height - 1) * (1 - columns.posteriors))
        wide = self.devicePixelRatioF()
        peaks = columns.posteriors.max(axis=0)
        for index in (*range(len(LABELS) - 1, len(WORDS) - 1, -1), *range(len(WORDS))):
            if peaks[index] < NOTHING:
                continue
            colour = QColor(self.theme.series[index])
            if index in (SILENCE, UNKNOWN):
                painter.setPen(QPen(colour, 1.3 * wide))
                draw_dashed(painter, xs, ys[:, index], columns.start, *((6, 9) if index == SILENCE else (2, 4)))
                continue
            soft = QColor(colour)
            soft.setAlphaF(0.16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(soft)
            around = np.concatenate((xs[:1], xs, xs[-1:]))
            painter.drawPolygon(polyline(around, np.concatenate(([height], ys[:, index], [height]))))
            painter.setPen(QPen(colour, 1.6 * wide))
            painter.drawPolyline(polyline(xs, ys[:, index]))

    def _dash(self) -> QPixmap:
        """One dash and one gap: tiled, it costs a tenth of Qt's dashed pen."""
        dash = QPixmap(7, 1)
        dash.fill(Qt.GlobalColor.transparent)
        painter = QPainter(dash)
        painter.fillRect(0, 0, 4, 1, QColor(self.theme.text))
        painter.end()
        return dash

    def describe(self, columns: Columns) -> str:
        order = np.argsort(-columns.posteriors[0])[:3]
        return "  ".join(f"{LABELS[i]} {columns.posteriors[0, i]:.2f}" for i in order)

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        theme = self.theme
        thresholds = self.feed.thresholds
        for value in sorted(set(thresholds)):
            painter.drawTiledPixmap(QRectF(plot.left(), round(self.y_of(value)), plot.width(), 1), self._dash())
        newest = self.feed.columns(self.end - 1, self.end)
        if not len(newest):
            return
        values = newest.posteriors[0]
        taken, row = plot.top() - scaled(8), scaled(14)
        for index in np.argsort(-values)[:4]:
            if values[index] < SHOWN:
                break
            y = max(self.y_of(float(values[index])), taken + row, plot.top() + row / 2)
            y = min(y, plot.bottom() - row / 2 + 1)
            if y < taken + row - 1:
                break
            taken = y
            text = f"{values[index]:.2f} {LABELS[index]}"
            self.side_label(painter, side, y, QColor(theme.series[index]), text)
        if len(set(thresholds)) == 1:
            line, tall = self.y_of(thresholds[0]), scaled(TAG)
            below, above = line + 3, line - 3 - tall
            fits = below + tall <= plot.bottom() - scaled(18)  # where the words that were said have their labels
            if fits or above >= plot.top():
                fill, y = theme.colour("surface", 0.8), below if fits else above
                self.tag(painter, f"threshold {thresholds[0]:.2f}", plot.left() + 4, y, fill, theme.muted)
