"""The measured noise by band, beside the noise floor that the network itself follows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.panels.bandmap import band_at, kilohertz
from app.panels.waveform import decibels
from app.paths import polyline
from app.theme import Theme, font, scaled
from kwscore.constants import N_MELS
from kwscore.stream.calibrator import band_dbfs

LEFT, AXIS, LEGEND = 34, 20, 26  # px at 100 % text size: levels, frequencies, names
LOWEST, HIGHEST, LEAST_SPAN, STEP = -120.0, 0.0, 40.0, 20.0  # dBFS
_TICKS = ((250.0, "250 Hz"), (500.0, "500"), (1000.0, "1 kHz"), (2000.0, "2"), (4000.0, "4"))
_MIDDLE_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_MIDDLE_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
EMPTY = "Here appears the noise by band once it is measured"


class NoisePlot(QWidget):
    """Paints what ``show_noise`` gives it, in 40 mel bands; says what to do while there is nothing."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.noise: NDArray[np.float64] | None = None
        """(40,) dBFS of the measured noise."""
        self.floor: NDArray[np.float64] | None = None
        """(40,) dBFS of the network's own floor."""
        self.setMinimumWidth(300)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Noise by band")
        self.setToolTip(
            "<p><b>Noise by band</b>: mean level of the silence in the 40 mel bands that the network sees, through its "
            "own window.</p><p><b>The network's own floor</b>: the noise floor that it follows by itself, without any "
            "calibration, as it stood when the silence ended. Where the two agree it had found the noise already.</p>"
        )
        self.set_theme(theme)
        self.show_noise(None, None)

    def sizeHint(self) -> QSize:
        return QSize(460, 190)

    def set_theme(self, theme: Theme) -> None:
        """Take the window's colours."""
        self.theme = theme
        self.setMinimumHeight(scaled(140))
        self.update()

    def show_noise(self, spectrum: NDArray[np.float64] | None, floor: NDArray[np.float64] | None) -> None:
        """Power spectra (257,), full scale = 1, of the measured noise and of the network's floor; None: not known."""
        self.noise = None if spectrum is None else band_dbfs(spectrum)
        self.floor = None if floor is None else band_dbfs(floor)
        self.setAccessibleDescription(self._in_words())
        self.update()

    def _in_words(self) -> str:
        if self.noise is None:
            return EMPTY
        loudest, quietest = int(self.noise.argmax()), int(self.noise.argmin())
        said = (
            f"Loudest at {kilohertz(loudest)} with {decibels(self.noise[loudest])}, quietest at "
            f"{kilohertz(quietest)} with {decibels(self.noise[quietest])}"
        )
        if self.floor is not None:
            off = float(np.median(self.noise - self.floor))
            said += f"; {abs(off):.0f} dB {'above' if off >= 0 else 'below'} the network's own floor in the median"
        return said

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest level of the scale, multiples of 20 dB."""
        known = [levels for levels in (self.noise, self.floor) if levels is not None]
        if not known:
            return -80.0, -20.0
        both = np.concatenate(known)
        top = min(np.ceil((both.max() + 2.0) / STEP) * STEP, HIGHEST)
        bottom = max(np.floor((np.percentile(both, 2) - 2.0) / STEP) * STEP, LOWEST)
        return float(min(bottom, top - LEAST_SPAN)), float(top)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, left, axis, legend = self.theme, scaled(LEFT), scaled(AXIS), scaled(LEGEND)
        plot = QRectF(left, legend, max(self.width() - left - 4, 40), max(self.height() - axis - legend, 30))
        painter.fillRect(plot, QColor(theme.plot))
        painter.setFont(font(11))
        low, high = self.span
        for level in np.arange(low, high + 1, STEP):
            y = self._y(float(level), plot)
            painter.fillRect(QRectF(plot.left(), y, plot.width(), 1), QColor(theme.grid))
            painter.setPen(QColor(theme.muted))
            box = QRectF(0, y - scaled(8), left - 6, scaled(16))
            painter.drawText(box, _MIDDLE_RIGHT, f"{level:.0f}".replace("-", "−"))
        for hertz, text in _TICKS:
            x = plot.left() + band_at(hertz) / N_MELS * plot.width()
            painter.fillRect(QRectF(x, plot.top(), 1, plot.height()), QColor(theme.grid))
            box = QRectF(x - scaled(30), plot.bottom() + 2, scaled(60), axis - 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.drawText(QRectF(plot.right() - scaled(60), plot.bottom() + 2, scaled(60), axis - 2), _MIDDLE_RIGHT, "8")
        painter.drawText(QRectF(0, 0, left - 6, scaled(16)), _MIDDLE_RIGHT, "dBFS")
        if self.noise is None:
            painter.setFont(font(13))
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, EMPTY)
        else:
            self._paint_curves(painter, plot)
        painter.end()

    def _paint_curves(self, painter: QPainter, plot: QRectF) -> None:
        theme = self.theme
        assert self.noise is not None
        painter.save()
        painter.setClipRect(plot)
        edges = np.repeat(plot.left() + np.arange(N_MELS + 1) / N_MELS * plot.width(), 2)
        tops = np.repeat([self._y(float(level), plot) for level in self.noise], 2)
        xs = edges[1:-1]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("wave", 0.3))
        base = plot.bottom()
        painter.drawPolygon(polyline(np.concatenate((xs[:1], xs, xs[-1:])), np.concatenate(([base], tops, [base]))))
        painter.setPen(QPen(QColor(theme.wave), 1.6))
        painter.drawPolyline(polyline(xs, tops))
        if self.floor is not None:
            heights = [self._y(float(level), plot) for level in self.floor]
            centres = plot.left() + (np.arange(N_MELS) + 0.5) / N_MELS * plot.width()
            painter.setPen(self._floor_pen())
            painter.drawPolyline(polyline(centres, heights))
        painter.restore()
        self._paint_legend(painter, plot)

    def _floor_pen(self) -> QPen:
        pen = QPen(QColor(self.theme.text), 1.5)
        pen.setStyle(Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([4, 3])
        return pen

    def _paint_legend(self, painter: QPainter, plot: QRectF) -> None:
        """Names beside samples of the lines, above the plot."""
        x, middle = plot.left() + 6, scaled(16) / 2
        entries = [("measured noise", QPen(QColor(self.theme.wave), 1.6))]
        if self.floor is not None:
            entries.append(("the network's own floor", self._floor_pen()))
        for name, pen in entries:
            painter.setPen(pen)
            painter.drawLine(QPointF(x, middle), QPointF(x + 20, middle))
            painter.setPen(QColor(self.theme.muted))
            wide = painter.fontMetrics().horizontalAdvance(name)
            painter.drawText(QRectF(x + 26, 0, wide + 4, scaled(16)), _MIDDLE_LEFT, name)
            x += wide + 46

    def _y(self, level: float, plot: QRectF) -> float:
        low, high = self.span
        return plot.bottom() - (min(max(level, low), high) - low) / (high - low) * plot.height()
