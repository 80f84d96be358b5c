"""Makes the pictures of the guide and the icon's sizes: ``python -m app.pictures [guide|icons] [NAME ...]``.

Each picture is the real window on the demo playlist, offscreen, after so many seconds of sound; pictures are reduced
to 256 colours so that each stays under 300 kB.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kwscore.files import beside

if TYPE_CHECKING:
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QWidget

    from app.window import MainWindow
    from kwscore.audio.playlist import PlaylistSource

ROOT = Path(__file__).resolve().parent.parent
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
LIMIT = 300_000  # bytes
EXACT = 96  # colours that stay as they are


@dataclass(frozen=True, slots=True)
class Picture:
    """``seconds`` of the demo are heard, then ``prepare`` is done, ``after`` more are heard, and what it
    returned is taken (None: the window)."""

    name: str
    about: str
    prepare: Callable[[MainWindow], QWidget | None]
    theme: str = "light"
    size: tuple[int, int] = (1280, 800)
    seconds: float = 12.0
    after: float = 0.0
    slow: bool = False  # at a quarter of real time, which the serial line of a board follows on a busy machine too


def _preset(name: str) -> Callable[[MainWindow], None]:
    return lambda window: window.use_preset(name)


def _nothing(window: MainWindow) -> None:
    pass


def _tour(window: MainWindow) -> None:
    from app.tour import Tour

    tour = next(feature for feature in window.features if isinstance(feature, Tour))
    tour.do_tour()
    assert tour.overlay is not None
    tour.overlay.go(1)


def _frozen(window: MainWindow) -> None:
    window.show_moment(window.feed.end - 250)


def _settings(window: MainWindow) -> QWidget | None:
    window.do_settings()
    return window.settings_dialog


def _detection(window: MainWindow) -> None:
    window.actions_by_name["detection"].setChecked(True)


def _noise(window: MainWindow) -> None:
    window.actions_by_name["noise"].trigger()
    window.actions_by_name["noise_panel"].setChecked(True)


def _keys(window: MainWindow) -> None:
    window.do_help()


PICTURES = (
    Picture("standard", "The standard layout", _nothing),
    Picture("dark", "The standard layout, dark", _nothing, theme="dark"),
    Picture("booth", "The booth layout", _preset("booth")),
    Picture("researcher", "The researcher layout", _preset("researcher"), size=(1600, 1000), seconds=49.0),
    Picture("fpga", "The FPGA layout", _preset("fpga"), size=(1600, 1000), seconds=6.0, after=7.0, slow=True),
    Picture("noise", "Noise mixed in", _noise, after=6.0),
    Picture("contrast", "High contrast", _nothing, theme="contrast"),
    Picture("frozen", "Looking back", _frozen),
    Picture("detection", "Detection settings", _detection),
    Picture("settings", "Settings", _settings),
    Picture("tour", "The tour", _tour),
    Picture("keys", "All keys", _keys),
)


def _demo(slow: bool) -> PlaylistSource:
    from kwscore.audio.playlist import PlaylistSource

    return PlaylistSource(clock=lambda: time.monotonic() / 4) if slow else PlaylistSource(pace="fast")


def take(picture: Picture, path: Path) -> None:
    """Open the window, let it hear, take the picture. Needs an application made by ``app.main.application``."""
    from PySide6.QtCore import QEventLoop, QTimer

    from app import settings as store
    from app.controller import Controller
    from app.main import application
    from app.sources import DEMO
    from app.window import MainWindow

    application(picture.theme)
    window = MainWindow(
        Controller(DEMO, build_source=lambda choice: _demo(picture.slow)),
        store.Settings(theme=picture.theme, toured=True),
        keep=False,
    )
    window.resize(*picture.size)
    window.ready.connect(window.controller.start)
    window.show()
    loop, look = QEventLoop(), QTimer()
    look.timeout.connect(lambda: loop.quit() if window.feed.end >= 100 * picture.seconds else None)
    look.start(5)
    QTimer.singleShot(180_000, loop.quit)
    loop.exec()
    if window.feed.end < 100 * picture.seconds:
        raise SystemExit(f"{picture.name}: no sound within three minutes: {window.banner.text()}")
    target = picture.prepare(window)
    look.timeout.disconnect()
    look.timeout.connect(lambda: loop.quit() if not window.controller.health().notice else None)  # engines are loaded
    loop.exec()
    ends = window.feed.end + 100 * picture.after
    look.timeout.disconnect()
    look.timeout.connect(lambda: loop.quit() if window.feed.end >= ends else None)
    loop.exec()
    look.stop()
    QTimer.singleShot(1500, loop.quit)  # docks that were hidden have taken their sizes, charts are drawn
    loop.exec()
    window.tick()
    window.refresh_status()
    _save(target or window, path)
    window.close()


def _save(widget: QWidget, path: Path) -> None:
    from PySide6.QtGui import QImage

    few = _reduced(widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32))
    with beside(path) as part:
        if not few.save(str(part), "PNG", 0):  # type: ignore[call-overload]  # the stub wants bytes, Qt a str
            raise SystemExit(f"{path} cannot be written")
        if part.stat().st_size > LIMIT:
            raise SystemExit(f"{path} would have more than {LIMIT} bytes")


def _reduced(image: QImage) -> QImage:
    """The picture in 256 colours: the most frequent ones as they are, the rest the nearest of a few cluster means."""
    import numpy as np
    from PySide6.QtGui import QImage
    from scipy.cluster.vq import kmeans2
    from scipy.spatial import cKDTree

    width, height = image.width(), image.height()
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(height, image.bytesPerLine() // 4)[:, :width]
    colours, which, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    rgb = np.stack([(colours >> shift) & 0xFF for shift in (16, 8, 0)], axis=1).astype(np.float64)
    exact = np.argsort(counts)[::-1][:EXACT]
    palette = rgb[exact]
    rest = np.setdiff1d(np.arange(len(colours)), exact)
    if len(rest) > 256 - EXACT:
        weighted = np.repeat(rest, np.minimum(counts[rest], 20))
        means, _ = kmeans2(rgb[weighted], 256 - EXACT, minit="++", seed=1)
        palette = np.concatenate((palette, np.rint(means)))
    else:
        palette = np.concatenate((palette, rgb[rest]))
    nearest = cKDTree(palette).query(rgb)[1].astype(np.uint8)
    index = np.zeros((height, (width + 3) // 4 * 4), np.uint8)  # Qt's lines are multiples of 4 bytes
    index[:, :width] = nearest[which].reshape(height, width)
    few = QImage(index.tobytes(), width, height, index.shape[1], QImage.Format.Format_Indexed8).copy()
    few.setColorTable([0xFF000000 | int(r) << 16 | int(g) << 8 | int(b) for r, g, b in palette])
    return few


def draw_icon(size: int) -> bytes:
    """The application's icon as a PNG of that size."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    from app.icons import APPLICATION

    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(APPLICATION)).render(painter, QRectF(0, 0, size, size))
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


def main(arguments: list[str]) -> None:
    """``guide`` (all pictures, or those named) or ``icons``."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    what, *names = arguments or ["guide"]
    if what == "icons":
        from app.main import application

        application("light")
        folder = ROOT / "assets" / "icons"
        folder.mkdir(parents=True, exist_ok=True)
        for size in ICON_SIZES:
            (folder / f"kwscope-{size}.png").write_bytes(draw_icon(size))
        return
    known = {picture.name for picture in PICTURES}
    if what != "guide" or not set(names) <= known:
        raise SystemExit(f"usage: python -m app.pictures [guide|icons] [{' '.join(sorted(known))}]")
    folder = ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        if not names or picture.name in names:
            take(picture, folder / f"{picture.name}.png")
            print(folder / f"{picture.name}.png", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
