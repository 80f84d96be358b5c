"""Noise while listening: kind, SNR, seed, and how loud speech and noise are."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.dialog_parts import push_button
from app.noise import HIGHEST, LOWEST, NoiseFigures, NoiseState, recordings
from app.panels.waveform import decibels
from app.theme import Theme, font, scaled
from kwscore.audio.noise import PUBLISHED_NOISES

SAID = {
    "white": "White: all frequencies alike",
    "pink": "Pink: falls by 3 dB an octave",
    "factory": "Factory: hum, hiss and impacts",
    "street": "Street: rumble, wind and horns",
    "babble": "Babble: many people talking",
}
"""The published noises in words."""
MONITOR_TIP = (
    "Play on the loudspeakers what the networks hear, noise included. With a microphone use headphones: loudspeakers "
    "would be heard again (feedback)."
)
_LOW, _HIGH = -70.0, 0.0  # dBFS of the bars


class LevelBars(QWidget):
    """Speech above noise on one scale; the SNR is the distance of their ends."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.figures: NoiseFigures | None = None
        self.setFixedHeight(scaled(62))
        self.setMinimumWidth(180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Levels of speech and noise")
        self.setToolTip(
            "<p><b>Speech</b>: the active level of what is heard (ITU-T P.56: pauses do not count), over about the "
            "last five seconds of speech. Until speech is heard the usual −25 dBFS are assumed (pale). <b>Noise</b>: "
            "what is added. The SNR is the distance of the two.</p>"
        )

    def show_figures(self, figures: NoiseFigures | None) -> None:
        """What to paint from now on."""
        if figures != self.figures:
            self.figures = figures
            said = [f"{name} {text}" for name, _, text, _ in self._rows()]
            self.setAccessibleDescription(", ".join(said))
            self.update()

    def _rows(self) -> list[tuple[str, float | None, str, bool]]:
        """Name, level, words and whether it was measured."""
        f = self.figures
        if f is None:
            return [("Speech", None, "not measured yet", False), ("Noise", None, "none", True)]
        speech = decibels(f.speech_dbfs) + ("" if f.heard else " (assumed)")
        noise = (f.noise_dbfs, decibels(f.noise_dbfs)) if f.noise_dbfs > -119 else (None, "none")
        return [("Speech", f.speech_dbfs, speech, f.heard), ("Noise", *noise, True)]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self.theme
        painter.setFont(font(12))
        left, right, row, bar = scaled(54), scaled(134), scaled(22), scaled(14)
        width = max(self.width() - left - right, 20.0)
        for number, (name, level, text, measured) in enumerate(self._rows()):
            y = 4 + scaled(30) * number
            painter.setPen(QColor(theme.muted))
            painter.drawText(QRectF(0, y, left - 8, row), _LEFT, name)
            painter.fillRect(QRectF(left, y + 4, width, bar), QColor(theme.raised))
            if level is not None:
                share = min(max((level - _LOW) / (_HIGH - _LOW), 0.0), 1.0)
                colour = theme.colour("wave" if number == 0 else "warn", 1.0 if measured else 0.45)
                painter.fillRect(QRectF(left, y + 4, share * width, bar), colour)
            painter.setPen(QColor(theme.text))
            painter.drawText(QRectF(left + width + 8, y, right - 8, row), _LEFT, text)
        painter.end()


class NoisePanel(QWidget):
    """Shows a ``NoiseState`` and emits what the user wants instead."""

    key = "noise"
    title = "Noise: what is mixed in, at a true SNR"
    about = (
        "Noise is added before the networks hear the sound, so much below or above the active speech level as the SNR "
        "says. Watch the posteriors and the SNR map while you move the slider."
    )

    switched = Signal(bool)
    noise_chosen = Signal(str)
    snr_chosen = Signal(int)
    seed_chosen = Signal(int)
    file_wanted = Signal()
    folder_wanted = Signal()
    monitor_wanted = Signal(bool)

    def __init__(self, theme: Theme, folder: str = "") -> None:
        super().__init__()
        self.setMinimumSize(240, 120)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")
        self.setAccessibleName(self.title)
        self.on = QCheckBox("Mix noise in")
        self.on.setToolTip("Noise on or off (N)")
        self.on.toggled.connect(self.switched)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Kind of noise")
        self.kind.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.kind.setMinimumContentsLength(8)
        self.kind.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.kind.activated.connect(lambda row: self.noise_chosen.emit(self.kind.itemData(row)))
        self.file_button = push_button(
            "File…",
            "A recording of your own, repeated for ever",
            self.file_wanted.emit,
            name="File: A recording of your own, repeated for ever",
        )
        self.folder_button = push_button(
            "Folder…",
            "List all recordings of a folder",
            self.folder_wanted.emit,
            name="Folder: List all recordings of a folder",
        )
        self.slider = snr_slider()
        self.slider.valueChanged.connect(self._moved)
        self.snr = QLabel("")
        self.snr.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setAccessibleName("Seed of the noise")
        self.seed.setToolTip("What is random in the noise: the same seed gives the same noise again")
        self.seed.setKeyboardTracking(False)
        self.seed.valueChanged.connect(self.seed_chosen)
        self.bars = LevelBars(theme)
        self.saturated = QLabel("")
        self.saturated.setToolTip(
            "Samples for which speech and noise together were too loud for 16 bits, since the start"
        )
        self.monitor = QCheckBox("Hear it on the loudspeakers")
        self.monitor.setToolTip(MONITOR_TIP)
        self.monitor.toggled.connect(self.monitor_wanted)
        self.trouble = QLabel("")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        self.names: list[QLabel] = []
        self._folder: str | None = None
        self._arrange()
        self.list_recordings(folder)
        self.set_theme(theme)
        self.show_state(NoiseState())

    def _arrange(self) -> None:
        grid = QGridLayout()
        grid.setVerticalSpacing(8)
        grid.setHorizontalSpacing(10)
        grid.setColumnStretch(1, 1)
        kinds, own, snr, seed = QHBoxLayout(), QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        kinds.addWidget(self.kind)
        own.addWidget(self.file_button)
        own.addWidget(self.folder_button)
        own.addStretch(1)
        snr.addWidget(self.slider, 1)
        snr.addWidget(self.snr)
        seed.addWidget(self.seed)
        seed.addStretch(1)
        for row, (name, layout) in enumerate((("Noise", kinds), ("", own), ("SNR", snr), ("Seed", seed))):
            label = QLabel(name)
            self.names.append(label)
            grid.addWidget(label, row, 0)
            grid.addLayout(layout, row, 1)
        column = QVBoxLayout()
        column.setContentsMargins(14, 8, 14, 10)
        column.setSpacing(8)
        column.addWidget(self.on)
        column.addLayout(grid)
        column.addWidget(self.bars)
        column.addWidget(self.saturated)
        column.addWidget(self.monitor)
        column.addWidget(self.trouble)
        column.addStretch(1)
        inside = QWidget()
        inside.setLayout(column)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the control that has the focus
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)

    def sizeHint(self) -> QSize:
        return QSize(330, 330)

    def set_theme(self, theme: Theme) -> None:
        self.theme = self.bars.theme = theme
        for label in (*self.names, self.saturated):
            label.setStyleSheet(f"color: {theme.muted}")
        self.trouble.setStyleSheet(f"color: {theme.bad}")
        self.bars.setFixedHeight(scaled(62))
        self.bars.update()
        self.snr.setMinimumWidth(scaled(58))

    def list_recordings(self, folder: str) -> None:
        """Offer the published noises and what lies in ``folder``."""
        if folder == self._folder:
            return
        self._folder = folder
        chosen = self.kind.currentData()
        self.kind.clear()
        for name in PUBLISHED_NOISES:
            self.kind.addItem(SAID[name], name)
        found = recordings(folder)
        if found:
            self.kind.insertSeparator(self.kind.count())
        for name, path in found.items():
            self.kind.addItem(name, str(path))
        if chosen:
            self._select(chosen)

    def show_state(self, state: NoiseState) -> None:
        """What holds now, whoever wanted it."""
        for widget, value in ((self.slider, state.snr_db), (self.seed, state.seed)):
            blocked = widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(blocked)
        blocked = self.on.blockSignals(True)
        self.on.setChecked(state.on)
        self.on.blockSignals(blocked)
        self.snr.setText(decibels_of_snr(state.snr_db))
        self._select(state.name, state.title)

    def _select(self, name: str, title: str = "") -> None:
        row = self.kind.findData(name)
        if row < 0:
            self.kind.addItem(title or name, name)
            row = self.kind.count() - 1
        self.kind.setCurrentIndex(row)

    def show_figures(self, figures: NoiseFigures | None) -> None:
        """Levels, a few times a second."""
        self.bars.show_figures(figures)
        clipped = figures.saturated if figures is not None else 0
        text = f"{clipped:,} samples saturated" if clipped else "No sample saturated"
        if self.saturated.text() != text:
            self.saturated.setText(text)
            self.saturated.setStyleSheet(f"color: {self.theme.warn if clipped else self.theme.muted}")

    def show_monitor(self, on: bool, sentence: str) -> None:
        """Whether the monitor plays, and why it does not."""
        blocked = self.monitor.blockSignals(True)
        self.monitor.setChecked(on)
        self.monitor.blockSignals(blocked)
        self.show_trouble(sentence)

    def show_trouble(self, sentence: str) -> None:
        """What went wrong with the last choice, where it was made."""
        self.trouble.setText(sentence)
        self.trouble.setVisible(bool(sentence))

    def _moved(self, value: int) -> None:
        self.snr.setText(decibels_of_snr(value))
        self.snr_chosen.emit(value)


def snr_slider() -> QSlider:
    """A slider over all SNRs, one dB a step."""
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(LOWEST, HIGHEST)
    slider.setSingleStep(1)
    slider.setPageStep(5)
    slider.setAccessibleName("SNR in dB")
    slider.setToolTip("SNR: active speech level over the noise's level, −15 to 30 dB ([ and ])")
    return slider


def decibels_of_snr(value: int) -> str:
    """``+10 dB``, ``−5 dB``."""
    return f"{value:+d} dB".replace("-", "−")


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
