"""Detection settings: a threshold for each word and the timing of a detection, effective at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QScrollArea,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme, font, scaled
from kwscore.constants import WORDS
from kwscore.stream.detection import DetectionSettings

_TIMES = (  # field, label, range in ms, step, tip
    (
        "smoothing_ms",
        "Smoothing",
        (10, 1000),
        10,
        "Posteriors are averaged over this time: longer is steadier and later",
    ),
    ("minimum_ms", "Hold", (0, 500), 10, "The word must stay above its threshold this long"),
    ("refractory_ms", "Pause after a word", (0, 3000), 50, "No second word is reported sooner than this"),
)


class _Threshold(QWidget):
    """A slider in hundredths with its figure."""

    changed = Signal()

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word
        self.name = QLabel(word)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 100)
        self.slider.setSingleStep(1)
        self.slider.setPageStep(5)
        self.slider.setAccessibleName(f"Threshold of {word}")
        self.slider.setToolTip(f"“{word}” is reported when its smoothed posterior reaches this")
        self.figure = QLabel("0.00")
        self.figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider.valueChanged.connect(self._moved)

    def set_value(self, value: float) -> None:
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(round(100 * value))
        self.figure.setText(f"{self.slider.value() / 100:.2f}")
        self.slider.blockSignals(blocked)

    @property
    def value(self) -> float:
        return self.slider.value() / 100

    def _moved(self) -> None:
        self.figure.setText(f"{self.value:.2f}")
        self.changed.emit()


class DetectionPanel(QWidget):
    """Emits a whole ``DetectionSettings`` on every change."""

    key = "detection"
    title = "Detection settings"
    about = (
        "When a word is reported. A lower threshold finds more words and more false ones; a noisy room wants a higher "
        "one. Watch the dashed line in the posteriors while you move a slider."
    )

    changed = Signal(object)

    def __init__(self, theme: Theme, settings: DetectionSettings) -> None:
        super().__init__()
        self.setMinimumSize(220, 110)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")
        self.all = _Threshold("all words")
        self.words = {word: _Threshold(word) for word in WORDS}
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(10)
        for row, each in enumerate((self.all, *self.words.values())):
            for column, widget in enumerate((each.name, each.slider, each.figure)):
                grid.addWidget(widget, row, column)
        grid.setColumnStretch(1, 1)
        self.all.changed.connect(self._all_moved)
        for each in self.words.values():
            each.changed.connect(self._emit)
        form = QFormLayout()
        form.setVerticalSpacing(4)
        self.times: dict[str, QSpinBox] = {}
        for name, label, (low, high), step, tip in _TIMES:
            box = QSpinBox()
            box.setRange(low, high)
            box.setSingleStep(step)
            box.setSuffix(" ms")
            box.setToolTip(tip)
            box.setAccessibleName(label)
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self._emit)
            form.addRow(label, box)
            self.times[name] = box
        self.release = QDoubleSpinBox()
        self.release.setRange(0.0, 1.0)
        self.release.setSingleStep(0.05)
        self.release.setToolTip("A word can be reported again once it fell below this part of its threshold")
        self.release.setAccessibleName("Re-arm below")
        self.release.setKeyboardTracking(False)
        self.release.valueChanged.connect(self._emit)
        form.addRow("Re-arm below", self.release)
        self.defaults = QToolButton()
        self.defaults.setText("Defaults")
        self.defaults.setAccessibleName("Default detection settings")
        self.defaults.setToolTip("Back to the settings that the network is shipped with")
        self.defaults.clicked.connect(lambda: self.set_settings(DetectionSettings(), announce=True))
        inner = QWidget()
        inside = QVBoxLayout(inner)
        inside.setContentsMargins(14, 8, 14, 8)
        inside.addLayout(grid)
        inside.addSpacing(8)
        inside.addLayout(form)
        inside.addWidget(self.defaults, 0, Qt.AlignmentFlag.AlignRight)
        inside.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the control that has the focus
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.set_theme(theme)
        self.set_settings(settings)

    def sizeHint(self) -> QSize:
        return QSize(340, 420)

    def set_theme(self, theme: Theme) -> None:
        for each in (self.all, *self.words.values()):
            each.figure.setFont(font(13))
            each.figure.setMinimumWidth(scaled(34))
        self.all.name.setStyleSheet(f"color: {theme.muted}")
        self.setAutoFillBackground(True)

    def settings(self) -> DetectionSettings:
        """What the controls say."""
        base = self.all.value
        own = {word: each.value for word, each in self.words.items() if each.value != base}
        times: dict[str, Any] = {name: float(box.value()) for name, box in self.times.items()}
        return DetectionSettings(threshold=base, word_thresholds=own, release=round(self.release.value(), 2), **times)

    def set_settings(self, settings: DetectionSettings, announce: bool = False) -> None:
        """Show ``settings``; tell the others only when ``announce``."""
        blocked = self.blockSignals(True)
        self.all.set_value(settings.threshold)
        for word, value in zip(WORDS, settings.thresholds, strict=True):
            self.words[word].set_value(value)
        for name, box in self.times.items():
            box.setValue(round(getattr(settings, name)))
        self.release.setValue(settings.release)
        self.blockSignals(blocked)
        if announce:
            self._emit()

    def as_dict(self) -> dict[str, Any]:
        return self.settings().to_dict()

    def _all_moved(self) -> None:
        for each in self.words.values():
            each.set_value(self.all.value)
        self._emit()

    def _emit(self) -> None:
        self.changed.emit(self.settings())
