"""Numpy arrays to Qt paths without a Python object per point."""

from __future__ import annotations

import numpy as np
import shiboken6
from numpy.typing import ArrayLike
from PySide6.QtGui import QPainter, QPolygonF


def polyline(x: ArrayLike, y: ArrayLike) -> QPolygonF:
    """A polygon through the points (x, y), both (n,)."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    polygon = QPolygonF()
    polygon.resize(len(xs))
    if len(xs):
        buffer = shiboken6.VoidPtr(polygon.data(), 16 * len(xs), True)  # type: ignore[call-arg, arg-type]
        points = np.frombuffer(buffer, np.float64).reshape(-1, 2)  # type: ignore[call-overload]
        points[:, 0] = xs
        points[:, 1] = ys
    return polygon


def band(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> QPolygonF:
    """A closed polygon between two curves over the same x, all (n,)."""
    xs = np.asarray(x, np.float64)
    return polyline(np.concatenate((xs, xs[::-1])), np.concatenate((np.asarray(low), np.asarray(high)[::-1])))


def draw_dashed(painter: QPainter, x: ArrayLike, y: ArrayLike, start: int, on: int, period: int) -> None:
    """Draw the curve in dashes of ``on`` of every ``period`` columns, counted from column 0 of the stream.

    Qt's own dashes start with the line; a tape that is painted in strips needs dashes that belong to the columns.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    for first in range(-(start % period), len(xs), period):
        part = slice(max(first, 0), max(first + on + 1, 0))
        if len(xs[part]) > 1:
            painter.drawPolyline(polyline(xs[part], ys[part]))
