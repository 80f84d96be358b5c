"""Opening the window: one Qt application, the window at once, network and sound afterwards in threads."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication

from app import boards, icons
from app import settings as store
from app import theme as themes
from app.controller import Controller
from app.engines import EngineChoice, Kind, Reference
from app.sources import MICROPHONE, Choice, check
from app.unseen import Unseen
from app.window import MainWindow
from kwscore.board.handshake import check_baud
from kwscore.board.protocol import DEFAULT_BAUD
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.stream.detection import DetectionSettings

PICTURE_PATIENCE = 120.0  # s after which a picture without sound is an error, once there is a network
ENGINE_SECONDS = 3.0  # s of sound that a picture shows of engines that came late
IDLE_LOOKS = 25  # looks, 0.5 s, at a window that waits for nothing any more before its picture is given up


def application(choice: str) -> QApplication:
    """The process's QApplication with our style, fonts and colours."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setApplicationName("kwscope")
    app.setApplicationDisplayName("KWScope")
    app.setDesktopFileName("kwscope")
    app.setStyle("Fusion")
    app.setFont(QFont(themes.load_fonts()))
    app.setWindowIcon(icons.application_icon())
    themes.apply(app, themes.resolve(choice))
    return app


def run(
    source: str | None = None,
    model: str | None = None,
    screenshot: str | None = None,
    seconds: float | None = None,
    theme: str | None = None,
    preset: str | None = None,
    board: str | None = None,
    baud: int | None = None,
) -> int:
    """Open the window and return when it is closed.

    ``source``: mic, demo or a file; None: what was used last, a microphone the first time. ``model``: name or path of
    a network. ``screenshot``: leave a picture here and close after ``seconds`` of sound (5 where not given).
    ``theme``: a choice of ``app.theme.CHOICES``, for this window only. ``preset``: a layout of
    ``app.presets`` instead of the remembered one, which stays remembered. ``board``: sim, rtl or a serial port
    to run beside the integer engine. ``baud``: rate of the line of every board opened here.
    ``KWSCOPE_WINDOW_SIZE`` (1280x720) in the environment sizes a picture's window.
    Returns 0, or 1 when no picture could be made, or, offscreen, when something went wrong that nobody can see: a
    source that does not open, a network that does not load; stderr then says what. Raises KWScopeError for a file
    that is not there, or a rate that cannot carry audio.
    """
    logging.basicConfig(level=logging.WARNING)
    baud = DEFAULT_BAUD if baud is None else baud
    check_baud(baud)
    open_board = partial(boards.open_board, baud=baud)
    settings, complaint = store.load()
    picturing = screenshot is not None
    choice = Choice.parse(source) if source else Choice.parse(settings.source or MICROPHONE.as_text())
    if source:
        check(choice)
    size = _window_size()
    if picturing:
        settings.geometry = settings.layout = ""
    detection, odd = _detection(settings)
    if settings.scale_percent != 100:
        os.environ.setdefault("QT_SCALE_FACTOR", f"{settings.scale_percent / 100:g}")
    app = application(theme or settings.theme)
    engines = EngineChoice(Kind.INTEGER, Reference(Kind.BOARD), board) if board else None
    controller = Controller(
        choice, model or settings.model, detection, fall_back=not source, engines=engines, open_board=open_board
    )
    window = MainWindow(controller, settings, keep=not picturing, theme=theme or "")
    if picturing and size is not None:
        window.resize(*size)
    complaint = complaint or ("" if picturing else store.probe())
    for key, sentence in (("settings", complaint), ("detection", odd)):
        if sentence:
            window.notify(key, sentence, "warning")
    if picturing or source or settings.autostart:
        window.ready.connect(controller.start)  # loading competes with painting for the interpreter: after a frame
    if preset:
        window.use_preset(preset)
        window.keep_layout = False
    if not picturing and app.platformName() != "offscreen":
        window.offer_tour()
    unseen = Unseen(window) if app.platformName() == "offscreen" else None
    if unseen is not None:
        window.features.append(unseen)
    window.show()
    ending = _Ending(window, screenshot, seconds, unseen)
    with _interruptible(app):
        app.exec()
    window.close()
    return 1 if unseen is not None and unseen.failed else ending.status


class _Ending:
    """Closes the window after some seconds of sound, leaving a picture if one is wanted; or when there is no sound and
    none will come, where nobody (``unseen``) can choose another source."""

    def __init__(self, window: MainWindow, picture: str | None, seconds: float | None, unseen: Unseen | None = None):
        self.window, self.picture, self.unseen, self.status = window, picture, unseen, 0
        self.samples = (seconds or 5.0) * SAMPLE_RATE
        self.started, self.idle = False, 0
        self.timer = QTimer(window)
        self.timer.setInterval(20)
        self.timer.timeout.connect(self._look)
        self.patience = QTimer(window)
        self.patience.setSingleShot(True)
        self.patience.setInterval(round(1000 * ((seconds or 5.0) + PICTURE_PATIENCE)))
        self.patience.timeout.connect(self._give_up)
        if picture is not None or unseen is not None:
            self.timer.start()
        if picture is not None:
            self.patience.start()
        elif seconds is not None:
            QTimer.singleShot(round(1000 * seconds), window.close)

    def _look(self) -> None:
        feed, controller = self.window.feed, self.window.controller
        if self.patience.isActive() and controller.engines is None and controller.waiting:
            self.patience.start()  # anew: compiling, which a busy machine takes minutes for, has a limit of its own
        if feed.end > 0 and controller.health().notice:  # a second engine is being made: it shall be seen too
            self.samples = max(self.samples, feed.end * HOP + ENGINE_SECONDS * SAMPLE_RATE)
        if self.picture is None and feed.end > 0:
            self.timer.stop()  # it works: whatever comes, the window stays
        elif feed.end * HOP >= self.samples or (feed.end > 0 and not controller.running):
            self._finish()
        else:
            failed = self.unseen.failed if self.unseen is not None else bool(self.window.banner.text())
            self.started |= bool(controller.waiting or controller.running or failed)
            self.idle = self.idle + 1 if self.started and not controller.waiting else 0
            if self.idle >= IDLE_LOOKS:  # a source that does not open, or ends before its first frame
                self._give_up()

    def _finish(self) -> None:
        self.timer.stop()
        if self.picture is not None:
            self.window.tick()
            self.window.refresh_status()  # which tick does only now and then: the picture must not show an old state
            if not self.window.save_picture(Path(self.picture)):
                self.status = 1
        self.window.close()

    def _give_up(self) -> None:
        if not self.timer.isActive():
            return
        told = self.unseen is not None and self.unseen.failed
        why = self.window.banner.text() or "the source delivered no sound"
        if self.picture is not None:
            print("kwscope: no sound to take a picture of" + ("" if told else f": {why}"), file=sys.stderr)
        elif not told:
            print(f"kwscope: {why}", file=sys.stderr)
        self._finish()
        self.status = 1


class _interruptible:
    """Ctrl+C in the terminal and the end of the session (SIGTERM) close the window in order, settings saved."""

    def __init__(self, app: QApplication) -> None:
        self.app = app

    def __enter__(self) -> None:
        self.before: dict[signal.Signals, Any] = {}
        with suppress(ValueError):  # not the main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._end)

    def _end(self, *_: object) -> None:
        """From the event loop: a signal may come while the window paints, which must not close in the middle of it."""
        QTimer.singleShot(0, self.app.closeAllWindows)

    def __exit__(self, *_: object) -> None:
        for number, before in self.before.items():
            signal.signal(number, before)


def _window_size() -> tuple[int, int] | None:
    """``KWSCOPE_WINDOW_SIZE``, or None where it is not set. Raises KWScopeError where it is no size."""
    text = os.environ.get("KWSCOPE_WINDOW_SIZE", "")
    if not text:
        return None
    size = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", text)
    if size is None:
        raise KWScopeError(f"KWSCOPE_WINDOW_SIZE={text}: write WIDTHxHEIGHT in pixels, for instance 1280x720.")
    return int(size[1]), int(size[2])


def _detection(settings: store.Settings) -> tuple[DetectionSettings, str]:
    """The remembered detection settings, or the defaults and a sentence."""
    try:
        return DetectionSettings.from_dict(settings.detection), ""
    except (KWScopeError, TypeError, AttributeError):
        return DetectionSettings(), "The remembered detection settings do not fit this version; defaults are used."
