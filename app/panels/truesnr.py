"""The network's SNR estimate over the true SNR, both in dB on one scale, where the noise is known; and the true SNR of
the second around each word as a figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from app.colormaps import CIVIDIS, colourise
from app.feed import COLUMNS_PER_SECOND, Columns, Feed, Mark
from app.panels.bandmap import BandMapPanel, band_at, draw_map, kilohertz
from app.theme import Theme, font, scaled
from kwscore.constants import N_MELS
from kwscore.stream.truesnr import BOUND_DB, LEAST_DB, MOST_DB, agreement, estimate_db, span_snr_db

EVERY = 20  # columns between two looks at the correlation
AROUND = COLUMNS_PER_SECOND // 2
"""Columns on each side of a word's middle: the second of the published mixing, pauses included."""


def snr_around(feed: Feed, column: float) -> float:
    """True SNR in dB of the second around ``column``; NaN where the noise is not known of all of it."""
    middle = round(column)
    columns = feed.columns(middle - AROUND, middle + AROUND)
    if len(columns) < 2 * AROUND:
        return float("nan")
    return max(span_snr_db(columns.clean_level, columns.noise_level), -BOUND_DB)


class TrueSnrPanel(BandMapPanel):
    key = "truesnr"
    title = "True SNR per band: the network's estimate above, the truth below"
    about = (
        "Mix noise in, or play the demo's noisy words, and the true SNR of every band is known: speech power over "
        "noise power through the network's own window and filters. Above it the network's estimate, read backwards "
        "into dB. Both on one scale: where they differ, the estimate errs. The figure at a word is the true SNR of the "
        "second around it; r is the correlation of estimate and truth over what is shown."
    )
    empty = "Press Start (Space) and mix noise in: here appear estimated and true SNR"
    unknown = "The true SNR is known while noise is mixed in, and in the noisy words of the demo"
    in_session = "A session holds what was heard, not its noise apart: mix noise in, and that is known"
    table = CIVIDIS
    floor, ceiling = LEAST_DB, MOST_DB
    low, high = 0.0, 2.0 * N_MELS
    ticks = (
        *((band_at(hertz), text) for hertz, text in ((500, "0.5"), (2000, "2"))),
        (float(N_MELS), "8 kHz"),
        *((N_MELS + band_at(hertz), text) for hertz, text in ((500, "0.5"), (2000, "2"))),
        (2.0 * N_MELS, "8 kHz"),
    )
    bar_ticks = ((30.0, "30 dB"), (15.0, "15"), (0.0, "0"), (-15.0, "−15"))

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__(theme, feed)
        self._looked: tuple[int, int] | None = None
        self._known = False
        self._words: list[tuple[Mark, float]] = []
        self.correlation = float("nan")
        """Of estimate and truth over what is shown."""

    def values(self, columns: Columns) -> NDArray[np.floating]:
        return estimate_db(columns.snr)

    @property
    def pointed_band(self) -> int | None:
        if self.cursor_height is None:
            return None
        return min(max(int(self.cursor_height * 2 * N_MELS), 0), 2 * N_MELS - 1) % N_MELS

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        width, half = len(columns) * self.pitch, height / 2
        estimate = colourise(self.values(columns), self.floor, self.ceiling, self.table)
        truth = colourise(columns.true_snr, self.floor, self.ceiling, self.table)
        truth[~np.isfinite(columns.true_snr)] = QColor(self.theme.plot).rgba()
        draw_map(painter, QRectF(x, 0, width, half - 1), estimate)
        draw_map(painter, QRectF(x, half, width, half), truth)

    def describe(self, columns: Columns) -> str:
        estimate, truth, band = self.values(columns)[0], columns.true_snr[0], self.pointed_band
        known = bool(np.isfinite(truth).all())
        if band is None:
            around = snr_around(self.feed, columns.start)
            return f"true SNR of the second around {around:.1f} dB".replace("-", "−") if np.isfinite(around) else ""
        true = f", true {truth[band]:.0f} dB" if known else ""
        return f"{kilohertz(band)}: estimate {estimate[band]:.0f} dB{true}".replace("-", "−")

    def _measure(self, start: int, stop: int) -> list[tuple[Mark, float]]:
        """The words of [start, stop) whose true SNR is known: those said, or where nobody knows them those heard."""
        marks = self.feed.truths(start, stop) or self.feed.detections(start, stop)
        found = [(mark, snr_around(self.feed, (mark.start + mark.column) / 2)) for mark in marks]
        return [(mark, snr) for mark, snr in found if np.isfinite(snr)]

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        now = (self.end // EVERY, self.visible_columns)
        if now != self._looked:
            self._looked = now
            columns = self.feed.columns(self.end - self.visible_columns, self.end)
            self._known = bool(np.isfinite(columns.true_snr[:, 0]).any())
            self.correlation = agreement(self.values(columns), columns.true_snr)
            self._words = self._measure(self.end - self.visible_columns, self.end) if self._known else []
        fill, middle = self.theme.colour("surface", 0.85), plot.center().y()
        self.tag(painter, "estimate", plot.left() + 4, plot.top() + 2, fill, self.theme.text)
        lower = QRectF(plot.left(), middle, plot.width(), plot.height() / 2)
        if not self._known:
            replays = getattr(self.feed, "replays", False)
            self.paint_note(painter, lower, self.in_session if replays else self.unknown)
            return
        self.tag(painter, "truth", plot.left() + 4, middle + 2, fill, self.theme.text)
        for mark, snr in self._words:
            x = self.x_of(mark.start)
            if x > plot.left():
                text = f"{snr:.0f} dB".replace("-", "−")
                self.tag(painter, text, x, plot.bottom() - scaled(18), fill, self.theme.text)
        if np.isfinite(self.correlation):
            painter.setFont(font(13))
            painter.setPen(QColor(self.theme.text))
            place = QRectF(side.left() + scaled(72), middle - scaled(9), side.width() - scaled(72), scaled(18))
            text = f"r {self.correlation:.2f}".replace("-", "−")
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
