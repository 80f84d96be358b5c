"""What calibration measured and what it changed, beside the window: measuring, undo and redo, and whether it helps."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QHideEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.calibration import Calibration, Part, Setting
from app.calibration_measured import caption
from app.dialog_parts import push_button
from app.panels.calibration_constants import ConstantsTable
from app.panels.calibration_plot import NoisePlot
from app.panels.waveform import decibels
from app.theme import Theme, font, scaled
from kwscore.models.calibration import SNR_RANGE_DB
from kwscore.stream.calibrator import Law

LAWS: tuple[tuple[Law, str], ...] = (("continuous", "Continuous law"), ("profile", "Nearest of four profiles"))
_KINDS = {"float": "Floating point", "integer": "Integers", "board": "Board", "window": "Window mode"}
OWN = "Every network computes with its own constants, as it was trained."


class CalibrationDialog(QDialog):
    """Shows a ``Calibration``; what the user wants comes out as signals. Stays open beside the window."""

    measure_wanted = Signal()
    cancel_wanted = Signal()
    undo_wanted = Signal()
    redo_wanted = Signal()
    reset_wanted = Signal()
    anyway_wanted = Signal()
    law_chosen = Signal(str)

    def __init__(self, parent: QWidget, theme: Theme) -> None:
        super().__init__(parent)
        self.setWindowTitle("Calibration on silence")
        self.setModal(False)
        self.lamp, self.state, self.sentence = QLabel("○"), QLabel(""), QLabel("")
        self.sentence.setWordWrap(True)
        self.sentence.setAccessibleName("What is going on")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Silence collected")
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # so that nothing moves when it comes
        self.bar.setSizePolicy(policy)
        self.figures = {name: QLabel("–") for name in ("Noise", "Speech", "Estimated SNR")}
        self.names = {name: QLabel(name) for name in self.figures}
        self.notes = {name: QLabel("") for name in self.figures}
        for name, value in self.figures.items():
            value.setAccessibleName(name)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.plot = NoisePlot(theme)
        self.constants = ConstantsTable(theme)
        self.engines = QLabel("")
        self.engines.setWordWrap(True)
        self.engines.setAccessibleName("Engines")
        self.help = QLabel("")
        self.help.setWordWrap(True)
        self.help.setAccessibleName("Whether it helps")
        self.law = QComboBox()
        self.law.setAccessibleName("Law")
        self.law.setToolTip("How the constants follow the SNR: by the published continuous law, or by named profiles")
        self.law.addItems([words for _, words in LAWS])
        self.law.activated.connect(lambda row: self.law_chosen.emit(LAWS[row][0]))
        self.measure = push_button("Measure again", "Keep quiet once more (K)", self.measure_wanted.emit)
        self.cancel = push_button("Cancel", "Measure no longer; what is set stays (Esc)", self.cancel_wanted.emit)
        self.anyway = push_button(
            "It is the noise: take it", "What was heard stays: a crowd, say", self.anyway_wanted.emit
        )
        self.undo = push_button("Undo", "The constants from before the last change (Shift + K)", self.undo_wanted.emit)
        self.redo = push_button("Redo", "What undo took away", self.redo_wanted.emit)
        self.reset = push_button("Network's own", "Back to the constants it was trained with", self.reset_wanted.emit)
        self.close_button = push_button("Close", "Close; what is set stays", self.close)
        self._arrange()
        self.set_theme(theme)
        room = self.screen().availableSize()
        self.resize(min(scaled(620), room.width()), min(scaled(650), room.height() - 40))

    def _arrange(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 16, 0, 14)
        outer.setSpacing(8)
        top, bottom = QVBoxLayout(), QVBoxLayout()
        for part in (top, bottom):
            part.setContentsMargins(20, 0, 20, 0)
            part.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.lamp)
        head.addWidget(self.state, 1)
        top.addLayout(head)
        top.addWidget(self.sentence)
        top.addWidget(self.bar)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 0, 20, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(24)
        for name, value in self.figures.items():
            block = QVBoxLayout()
            block.setSpacing(0)
            for label in (self.names[name], value, self.notes[name]):
                block.addWidget(label)
            row.addLayout(block, 1)
        column.addLayout(row)
        column.addSpacing(4)
        column.addWidget(self.plot, 1)
        column.addWidget(self.constants)
        column.addWidget(self.engines)
        column.addWidget(self.help)
        scroll = QScrollArea()  # large text on a small screen
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(inner)
        first, last = QHBoxLayout(), QHBoxLayout()
        for widget in (self.measure, self.cancel, self.anyway):
            first.addWidget(widget)
        first.addStretch(1)
        first.addWidget(self.law)
        for widget in (self.undo, self.redo, self.reset):
            last.addWidget(widget)
        last.addStretch(1)
        last.addWidget(self.close_button)
        bottom.addLayout(first)
        bottom.addLayout(last)
        outer.addLayout(top)
        outer.addWidget(scroll, 1)
        outer.addLayout(bottom)

    def set_theme(self, theme: Theme) -> None:
        """Take the window's colours."""
        self.theme = theme
        self.lamp.setFont(font(16))
        self.state.setFont(font(18, QFont.Weight.DemiBold))
        self.sentence.setFont(font(13))
        for name in self.figures:
            self.names[name].setFont(font(12))
            self.names[name].setStyleSheet(f"color: {theme.muted}")
            self.figures[name].setFont(font(20, QFont.Weight.DemiBold))
            self.notes[name].setFont(font(12))
            self.notes[name].setStyleSheet(f"color: {theme.muted}")
        for label in (self.engines, self.help):
            label.setFont(font(12))
        self.help.setStyleSheet(f"color: {theme.muted}")
        self.plot.set_theme(theme)
        self.constants.set_theme(theme)

    # -- what is shown ----------------------------------------------------------------------------------------

    def show_calibration(self, calibration: Calibration, seconds: float, law: Law, source: str) -> None:
        """Everything as it is now. ``seconds`` of silence are asked for; ``source``: what is heard, by name."""
        self._show_head(calibration, seconds, source)
        self._show_setting(calibration.setting)
        self.constants.show_parts(calibration.parts)
        self.engines.setText("\n".join(_engine(part) for part in calibration.parts))
        self.engines.setVisible(bool(calibration.parts))
        shown = next((part for part in calibration.parts if not part.why), None)
        self.help.setText(caption(shown.model_hash, shown.network, law) if shown is not None else OWN)
        self.law.setCurrentIndex([name for name, _ in LAWS].index(law))
        self.measure.setVisible(not calibration.measuring)
        self.measure.setText("Measure again" if calibration.setting or calibration.refusal else "Measure")
        self.cancel.setVisible(calibration.measuring)
        silence = calibration.silence
        self.anyway.setVisible(bool(calibration.refusal) and silence is not None and silence.might_be_noise)
        self.undo.setEnabled(calibration.can_undo)
        self.redo.setEnabled(calibration.can_redo)
        self.reset.setEnabled(calibration.setting is not None)

    def show_progress(self, calibration: Calibration) -> None:
        """The part that moves while a silence is measured."""
        silence = calibration.silence
        if silence is None:
            return
        self.bar.setValue(round(1000 * silence.progress))
        level = f" · {decibels(silence.level_dbfs)}" if silence.level_dbfs is not None else ""
        if silence.waiting:
            text = f"Keep quiet…{level}"
        elif silence.disturbance:
            text = f"Something was heard: {silence.collected:.1f} of {silence.seconds:g} s{level}"
        elif silence.again:
            text = f"Waiting for quiet: {silence.collected:.1f} of {silence.seconds:g} s{level}"
        else:
            text = f"Keep quiet: {silence.collected:.1f} of {silence.seconds:g} s{level}"
        self.state.setText(text)

    def _show_head(self, calibration: Calibration, seconds: float, source: str) -> None:
        theme, setting = self.theme, calibration.setting
        self.bar.setVisible(calibration.measuring)
        if calibration.measuring:
            mark, colour = "●", theme.accent
            sentence = f"Nothing should be said or moved for {seconds:g} s. The sound of {source} is measured as the "
            sentence += "networks hear it, mixed-in noise included; listening goes on."
            self.show_progress(calibration)
        elif calibration.refusal:
            mark, colour = "✗", theme.bad
            sentence = calibration.refusal
            self.state.setText("Not measured")
        elif setting is not None:
            rests = not calibration.calibrated
            mark, colour = ("▲", theme.warn) if rests or calibration.mixed_since else ("●", theme.good)
            at = f"{setting.at:%H:%M}"
            self.state.setText(f"Calibration of {at} rests" if rests else f"Calibrated at {at}")
            sentence = f"By {setting.noise.seconds:.1f} s of silence of {setting.heard}"
            sentence += f", {setting.mixed} mixed in." if setting.mixed else "."
            if calibration.mixed_since:
                sentence += " The mixed-in noise has been changed since: measure again."
        else:
            mark, colour = "○", theme.muted
            self.state.setText("Not calibrated")
            sentence = OWN
        self.lamp.setText(mark)
        self.lamp.setStyleSheet(f"color: {colour}")
        self.sentence.setText(sentence)

    def _show_setting(self, setting: Setting | None) -> None:
        if setting is None:
            for label in (*self.figures.values(), *self.notes.values()):
                label.setText("–" if label in self.figures.values() else "")
            self.plot.show_noise(None, None)
            return
        noise = setting.noise
        snr = noise.snr_of_level(setting.speech_dbfs)
        for name, value, note in (
            ("Noise", _level(noise.level_dbfs), f"varied by {noise.unsteadiness_db:.0f} dB"),
            ("Speech", _level(setting.speech_dbfs), "heard before" if setting.speech_heard else "the usual, assumed"),
            ("Estimated SNR", _snr(snr), "of a word over its second"),
        ):
            self.figures[name].setText(value)
            self.notes[name].setText(note)
        self.plot.show_noise(noise.spectrum, setting.floor)

    def hideEvent(self, event: QHideEvent) -> None:
        """Closing it ends a measurement: nobody would see what came of it."""
        self.cancel_wanted.emit()
        super().hideEvent(event)


def _level(dbfs: float) -> str:
    return f"{dbfs:.1f} dBFS".replace("-", "−") if dbfs > -119 else "silence"


def _snr(snr_db: float) -> str:
    """An SNR; where the law ends, so does what is said about it."""
    low, high = SNR_RANGE_DB
    sign = "≥ " if snr_db >= high else "≤ " if snr_db <= low else ""
    return f"{sign}{snr_db:.1f} dB".replace("-", "−")


def _engine(part: Part) -> str:
    """One line for an engine that runs."""
    title = f"{_KINDS.get(part.kind, part.kind)}, {part.network}"
    if part.why:
        return f"○ {title}: cannot be calibrated. {part.why}"
    if part.record is None:
        return f"○ {title}: its own constants"
    named = f", profile {part.record.profile}" if part.record.profile else ""
    return f"● {title}: calibrated for {_snr(part.record.snr_db)}{named}"
