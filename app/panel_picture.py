"""One panel as a picture of its own: its title, the moment and the panel as it is seen, as PNG or as SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPicture, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QAbstractScrollArea, QGraphicsItem, QGraphicsView, QWidget

from app.dock import Dock
from app.theme import Theme, font, scaled

SCALE = 2  # pixels of a PNG for each logical one
EDGE = 12  # px left and right of the title
FOOT = 6  # px under the panel
DOTS = 96  # an inch: what SVG calls a pixel
FALLBACK = "sans-serif"


@runtime_checkable
class Drawn(Protocol):
    """A panel that keeps pixmaps of what it shows, and can do without."""

    @property
    def whole_height(self) -> int: ...

    def paint_whole(self, painter: QPainter) -> None: ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """A dock's panel in the theme's colours. ``moment``: the time that it shows, empty without one. ``origin``: what
    made it, for the files' description."""

    dock: Dock
    theme: Theme
    moment: str = ""
    origin: str = ""

    @property
    def title(self) -> str:
        return self.dock.accessibleName()

    @property
    def size(self) -> QSize:
        """Logical pixels."""
        panel = self.dock.widget()
        height = panel.whole_height if isinstance(panel, Drawn) else panel.height()
        return QSize(panel.width(), self._head + height + FOOT)

    @property
    def _head(self) -> int:
        return scaled(28)

    def image(self) -> QImage:
        """Twice as many pixels each way as on a usual screen."""
        image = QImage(self.size * SCALE, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(SCALE)
        image.fill(QColor(self.theme.surface))
        painter = QPainter(image)
        self._paint(painter)
        painter.end()
        for key, text in (("Title", self.title), ("Description", self._description), ("Software", "KWScope")):
            image.setText(key, text)
        return image

    def png(self) -> bytes:
        """The bytes of a PNG file."""
        data = QByteArray()
        buffer = QBuffer(data)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        self.image().save(buffer, "PNG")  # type: ignore[call-overload]  # the stub wants bytes, Qt a str
        return bytes(data.data())

    def svg(self) -> bytes:
        """The bytes of an SVG file: lines and text as such, maps as images in it."""
        data = QByteArray()
        buffer = QBuffer(data)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        generator = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)  # which knows clipping
        generator.setOutputDevice(buffer)
        generator.setResolution(DOTS)
        generator.setSize(self.size)
        generator.setViewBox(QRect(QPoint(0, 0), self.size))
        generator.setTitle(self.title)
        generator.setDescription(self._description)
        painter = QPainter(generator)
        painter.fillRect(QRect(QPoint(0, 0), self.size), QColor(self.theme.surface))
        self._paint(painter)
        painter.end()
        family = font(12).family()
        drawn = bytes(data.data()).decode().replace(f'"{family}"', f'"{family}, {FALLBACK}"')
        return _GROUP.sub(_mapped, drawn).encode()

    @property
    def _description(self) -> str:
        return " ".join(part for part in (self.moment and f"At {self.moment}.", self.origin) if part)

    def _paint(self, painter: QPainter) -> None:
        self._paint_title(painter)
        panel = self.dock.widget()
        painter.save()
        if isinstance(panel, Drawn):
            painter.translate(0, self._head)
            painter.setClipRect(QRectF(0, 0, panel.width(), panel.whole_height))
            panel.paint_whole(painter)
        else:
            painter.translate(0, self._head)
            with _uncached(panel):
                _paint_widget(painter, panel)
        painter.restore()

    def _paint_title(self, painter: QPainter) -> None:
        """Name and what it shows at the left; value under the cursor and moment at the right."""
        theme, height = self.theme, self._head
        name, _, rest = self.title.partition(":")
        room = float(self.size.width() - 2 * EDGE)
        right = " · ".join(part for part in (self.dock.bar.value.text(), self.moment) if part)
        left = float(EDGE)
        for text, face, colour, side in (
            (right, font(12), theme.text, Qt.AlignmentFlag.AlignRight),
            (name, font(12, QFont.Weight.DemiBold), theme.text, Qt.AlignmentFlag.AlignLeft),
            (rest.strip(), font(12), theme.muted, Qt.AlignmentFlag.AlignLeft),
        ):
            measure = QFontMetricsF(face)
            shown = measure.elidedText(text, Qt.TextElideMode.ElideRight, max(room, 0))
            painter.setFont(face)
            painter.setPen(QColor(colour))
            box = QRectF(left, 0, room, height)
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, shown)
            wide = measure.horizontalAdvance(shown) + (6 if shown else 0)
            room -= wide
            left += wide if side == Qt.AlignmentFlag.AlignLeft else 0


def _paint_widget(painter: QPainter, panel: QWidget) -> None:
    """Paint a panel made of widgets. Qt's clipping at their edges does not reach an SVG file: what scrolls is painted
    by itself, with a clip of its own; and by way of a QPicture, since clips of redirected widgets lose their place."""
    areas = [area.viewport() for area in panel.findChildren(QAbstractScrollArea) if area.isVisible()]
    outer = [each for each in areas if not any(other.isAncestorOf(each) for other in areas)]
    spots = [(each, QRect(each.mapTo(panel, QPoint()), each.size())) for each in outer]
    frame = QRegion(panel.rect())
    for _, spot in spots:
        frame -= QRegion(spot)
    for part, spot, region in ((panel, panel.rect(), frame), *((*each, QRegion()) for each in spots)):
        recorded = QPicture()
        part.render(recorded, QPoint(), region, QWidget.RenderFlag.DrawChildren)
        painter.save()
        painter.setClipRect(spot)
        painter.drawPicture(spot.topLeft(), recorded)
        painter.restore()


_GROUP = re.compile(r'(<g [^>]*)transform="matrix\(([^)]*)\)"([^>]*>)((?:(?!<g |<text|<image|<rect|</g>).)*)</g>', re.S)
_PAIR = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?),(-?[\d.]+(?:e[+-]?\d+)?)")
_FIXED = 'vector-effect="non-scaling-stroke"'  # which many programs that read SVG do not know


def _mapped(group: re.Match[str]) -> str:
    """A group of lines of fixed width in the picture's own coordinates, so that no scale widens them."""
    before, matrix, after, body = group.groups()
    a, b, c, d, e, f = map(float, matrix.split(","))
    if _FIXED not in body or "url(" in before + after:
        return group[0]

    def point(pair: re.Match[str]) -> str:
        x, y = float(pair[1]), float(pair[2])
        return f"{a * x + c * y + e:.2f},{b * x + d * y + f:.2f}"

    return f"{before}{after}{_PAIR.sub(point, body.replace(_FIXED, ''))}</g>"


@contextmanager
def _uncached(panel: QWidget) -> Iterator[None]:
    """Charts paint their parts anew, not from pixmaps."""
    items = [
        (item, item.cacheMode())
        for view in panel.findChildren(QGraphicsView)
        for item in view.scene().items()
        if item.cacheMode() != QGraphicsItem.CacheMode.NoCache
    ]
    for item, _ in items:
        item.setCacheMode(QGraphicsItem.CacheMode.NoCache)
    try:
        yield
    finally:
        for item, mode in items:
            item.setCacheMode(mode)
