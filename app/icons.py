"""Line icons drawn from SVG paths in the colour of the text, sharp at any scale."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from kwscore.resources import resource

APPLICATION = resource("assets", "icon.svg")

_STROKES = {  # 24 x 24
    "start": '<path d="M7 4.5 L19 12 L7 19.5 Z" fill="{c}"/>',
    "stop": '<rect x="6" y="6" width="12" height="12" rx="1.5" fill="{c}"/>',
    "record": '<circle cx="12" cy="12" r="6" fill="{c}"/>',
    "reset": '<path d="M5 12 a7 7 0 1 0 2.4 -5.3"/><path d="M4 4 v4.5 h4.5"/>',
    "freeze": '<path d="M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 7l2.5-2.5M9.5 19.5 12 17l2.5 2.5"/>',
    "source": '<rect x="9" y="3" width="6" height="11" rx="3"/>'
    '<path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M8.5 21h7"/>',
    "network": '<circle cx="5" cy="6" r="2"/><circle cx="5" cy="18" r="2"/><circle cx="12" cy="12" r="2"/>'
    '<circle cx="19" cy="6" r="2"/><circle cx="19" cy="18" r="2"/>'
    '<path d="M6.6 7.3 10.4 10.7M6.6 16.7 10.4 13.3M13.6 10.7 17.4 7.3M13.6 13.3 17.4 16.7"/>',
    "detection": '<path d="M4 7h9M18 7h2M4 17h2M11 17h9"/>'
    '<circle cx="15.5" cy="7" r="2.3"/><circle cx="8.5" cy="17" r="2.3"/>',
    "view": '<rect x="3.5" y="4.5" width="17" height="15" rx="1.5"/><path d="M14 4.5v15M3.5 12H14"/>',
    "help": '<circle cx="12" cy="12" r="8.5"/><path d="M9.6 9.6a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.9-1.2 1.8"/>'
    '<circle cx="12" cy="16.8" r=".6" fill="{c}"/>',
    "engine": '<rect x="7" y="7" width="10" height="10" rx="1.5"/><rect x="10.2" y="10.2" width="3.6" height="3.6"/>'
    '<path d="M9.5 7V3.5M14.5 7V3.5M9.5 20.5V17M14.5 20.5V17M7 9.5H3.5M7 14.5H3.5M20.5 9.5H17M20.5 14.5H17"/>',
    "noise": '<path d="M3 12h2l1.5-5 2 11 2-15 2.5 17 2-11 1.5 6 1.5-3h2.5"/>',
    "enlarge": '<path d="M14 5h5v5M10 19H5v-5M19 5l-6 6M5 19l6-6"/>',
    "close": '<path d="M6.5 6.5l11 11M17.5 6.5l-11 11"/>',
}


def _svg(name: str, colour: str) -> bytes:
    body = _STROKES[name].replace("{c}", colour)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{colour}" stroke-width="1.8" '
        f'stroke-linecap="round" stroke-linejoin="round">{body}</svg>'
    ).encode()


def _pixmap(renderer: QSvgRenderer, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


@cache
def icon(name: str, colour: str, checked: str | None = None) -> QIcon:
    """The icon ``name`` in ``colour`` (and in ``checked`` when its button is on)."""
    made = QIcon()
    for shade, state in ((colour, QIcon.State.Off), (checked or colour, QIcon.State.On)):
        renderer = QSvgRenderer(QByteArray(_svg(name, shade)))
        for size in (16, 20, 32, 40, 64):
            made.addPixmap(_pixmap(renderer, size), QIcon.Mode.Normal, state)
    return made


def application_icon() -> QIcon:
    """The application's own icon; an empty one when the assets are not there."""
    if not APPLICATION.is_file():
        return QIcon()
    made = QIcon()
    renderer = QSvgRenderer(str(APPLICATION))
    for size in (16, 24, 32, 48, 64, 128, 256):
        made.addPixmap(_pixmap(renderer, size))
    return made
