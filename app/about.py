"""The About box: which versions run here, which network, and under which licences the parts stand."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import PySide6
from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QFont, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from app import icons
from app.theme import FONTS, Theme, font
from kwscore import __version__


@dataclass(frozen=True, slots=True)
class Component:
    """Something that KWScope stands on. ``distribution``: its name where it is a Python package."""

    name: str
    licence: str
    what: str
    distribution: str = ""


COMPONENTS = (
    Component("Qt 6 and PySide6", "LGPL-3.0", "window", "PySide6-Essentials"),
    Component("pyqtgraph", "MIT", "charts", "pyqtgraph"),
    Component("NumPy", "BSD-3-Clause", "arrays", "numpy"),
    Component("Numba, llvmlite", "BSD-2-Clause", "compiled engine", "numba"),
    Component("SciPy", "BSD-3-Clause", "signal processing", "scipy"),
    Component("PyTorch", "BSD-3-Clause", "training, checkpoints", "torch"),
    Component("safetensors", "Apache-2.0", "weights", "safetensors"),
    Component("python-sounddevice, PortAudio", "MIT", "microphone", "sounddevice"),
    Component("python-soundfile", "BSD-3-Clause", "sound files", "soundfile"),
    Component("libsndfile", "LGPL-2.1", "sound files"),
    Component("python-soxr, libsoxr", "LGPL-2.1", "resampling", "soxr"),
    Component("pySerial", "BSD-3-Clause", "serial line to the board", "pyserial"),
    Component("cobs", "MIT", "framing on that line", "cobs"),
    Component("platformdirs", "MIT", "folders", "platformdirs"),
    Component("Typer, Rich", "MIT", "command line", "typer"),
    Component("Inter (R. Andersson)", "OFL-1.1", "the typeface, a subset"),
    Component("viridis, cividis", "CC0", "colour maps"),
    Component("Speech Commands (P. Warden, 2018)", "CC BY 4.0", "the words that the shipped weights learned"),
)

PAPERS = (
    "NanoMamba: J. H. Choi, 2026",
    "Mamba-based keyword spotting: A. Makarov and R. Levi, Bar-Ilan University, 2025",
)


def facts(network: str, digits: str) -> list[tuple[str, str]]:
    """Names and versions of what runs here. PyTorch is named only when it is loaded; nothing is imported for this."""
    rows = [
        ("KWScope", __version__),
        ("Network", f"{network} · {digits}" if digits else network or "none loaded"),
        ("Python", platform.python_version()),
        ("Qt", qVersion() or ""),
        ("PySide6", PySide6.__version__),
        ("NumPy", _version("numpy")),
        ("Numba", _version("numba")),
    ]
    torch = sys.modules.get("torch")
    if torch is not None:
        rows.append(("PyTorch", str(getattr(torch, "__version__", ""))))
    rows.append(("System", platform.platform()))
    rows.append(("Display", f"{QGuiApplication.platformName()}, scale {_scale():g}"))
    return rows


def as_text(rows: Sequence[tuple[str, str]]) -> str:
    """For a report of a fault: one fact a line."""
    return "\n".join(f"{name}: {value}" for name, value in rows)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _scale() -> float:
    screen = QGuiApplication.primaryScreen()
    return screen.devicePixelRatio() if screen is not None else 1.0


class AboutDialog(QDialog):
    """Versions and licences, each on its tab; the versions can be copied."""

    def __init__(self, parent: QWidget, theme: Theme, network: str, digits: str) -> None:
        super().__init__(parent)
        self.setWindowTitle("About KWScope")
        self.rows = facts(network, digits)
        mark = QLabel()
        mark.setPixmap(icons.application_icon().pixmap(56, 56))
        mark.setAccessibleName("KWScope")
        name, line = QLabel("KWScope"), QLabel("An instrument for ultra-small, noise-robust keyword spotting")
        name.setFont(font(22, QFont.Weight.Bold))
        name.setStyleSheet("font-weight: 700")
        line.setFont(font(13))
        line.setWordWrap(True)
        words = QVBoxLayout()
        words.addWidget(name)
        words.addWidget(line)
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(mark)
        head.addLayout(words, 1)
        self.versions, self.licences = _page("Versions"), _page("Licences")
        self.versions.setHtml(self._versions(theme))
        self.licences.setHtml(self._licences(theme))
        tabs = QTabWidget()
        tabs.setAccessibleName("Versions and licences")
        tabs.setDocumentMode(True)
        tabs.addTab(self.versions, "Versions")
        tabs.addTab(self.licences, "Licences")
        self.copy = QPushButton("Copy versions")
        self.copy.setToolTip("Copy the versions, for a report")
        self.copy.setAutoDefault(False)
        self.copy.clicked.connect(self._copy)
        close = QPushButton("Close")
        close.setDefault(True)
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(20, 18, 20, 14)
        outer.setSpacing(12)
        outer.addLayout(head)
        outer.addWidget(tabs, 1)
        outer.addLayout(buttons)
        self.resize(560, 520)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(as_text(self.rows))
        self.copy.setText("Copied")

    def _versions(self, theme: Theme) -> str:
        return _table(theme, [(name, value, "") for name, value in self.rows])

    def _licences(self, theme: Theme) -> str:
        own = f"<p>KWScope is under the MIT licence. The networks were described by others: {'; '.join(PAPERS)}.</p>"
        table = _table(theme, [(part.name, part.licence, part.what) for part in COMPONENTS])
        try:
            text = (FONTS / "OFL.txt").read_text(encoding="utf-8")
        except OSError:
            text = ""
        fonts = f'<p><b>The licence of the typeface</b></p><pre style="white-space: pre-wrap">{text}</pre>'
        return own + table + (fonts if text else "")


def _page(name: str) -> QTextBrowser:
    page = QTextBrowser()
    page.setFrameShape(QTextBrowser.Shape.NoFrame)
    page.setAccessibleName(name)
    page.setFont(font(13))
    page.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return page


def _table(theme: Theme, rows: Sequence[tuple[str, str, str]]) -> str:
    cells = "".join(
        f'<tr><td style="color:{theme.muted}; padding: 2px 16px 2px 0">{name}</td>'
        f'<td style="padding: 2px 16px 2px 0">{value}</td><td style="color:{theme.muted}">{note}</td></tr>'
        for name, value, note in rows
    )
    return f"<table>{cells}</table>"
