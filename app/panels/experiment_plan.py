"""The plan of an experiment as a form: what is played, which noises at which SNRs, which networks on which engines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme as themes
from app.panels.experiment_controls import CheckList, Column, button, combo, numbers, outlined, whole_number
from app.theme import Theme, font
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.recordings import SUFFIXES, recordings_in
from kwscore.errors import KWScopeError
from kwscore.experiment.plan import BOARD, MIXES, RECORDED, SPLITS, Plan, Source, check_plan, noise_label
from kwscore.stream.detection import DetectionSettings

SOURCES = (
    ("playlist", "Playlist", "The demo, or a playlist with its words (JSON)"),
    ("folder", "Folder of words", "A folder with a sub-folder of recordings for each word"),
    ("speech_commands", "Speech Commands", "The folder of that data set"),
)
MODES = (
    ("reset", "each clip by itself", "Every clip from reset; SNR over the clip's own second, as in papers"),
    ("stream", "one stream", "One after the other without a reset, as live; SNR over the active speech level"),
)
SIM, RTL = BOARD + "sim", BOARD + "rtl"


class PlanEditor(QWidget):
    """``plan()`` is what the form says; ``changed`` comes with every change of it."""

    changed = Signal()
    adopt = Signal()  # the window's detection settings are wanted
    trouble = Signal(str)

    def __init__(self, theme: Theme, networks: Iterable[str], detection: DetectionSettings) -> None:
        super().__init__()
        self.theme = theme
        self._detection = detection
        self._plan = Plan()  # what the form has no control for
        self._headings: list[QLabel] = []
        self.inner = QWidget()
        self.inner.setObjectName("plan")
        self._column = QVBoxLayout(self.inner)
        self._column.setContentsMargins(14, 8, 14, 10)
        self._column.setSpacing(5)
        self._build_source()
        self._build_noise()
        self._build_networks(networks)
        self._build_rest()
        self._column.addStretch(1)
        self.area = Column()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setWidget(self.inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)
        self.set_theme(theme)
        self.set_plan(Plan(detection=detection))

    # -- building ---------------------------------------------------------------------------------------------

    def _heading(self, text: str, *widgets: QWidget) -> None:
        label = QLabel(text)
        self._headings.append(label)
        row = QHBoxLayout()
        row.setContentsMargins(0, 6 if len(self._headings) > 1 else 0, 0, 0)
        row.addWidget(label, 1)
        for widget in widgets:
            row.addWidget(widget)
        self._column.addLayout(row)

    def _row(self, text: str, *widgets: QWidget) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        if text:
            label = QLabel(text)
            label.setMinimumWidth(themes.scaled(58))
            row.addWidget(label)
        for widget in widgets:
            row.addWidget(widget, 0 if isinstance(widget, QToolButton | QLabel | QCheckBox) else 1)
        self._column.addWidget(holder)
        return holder

    def _build_source(self) -> None:
        self._heading("What is played")
        self.kind = combo("What is played", SOURCES)
        self.kind.activated.connect(self._kind_changed)
        self.where = QLineEdit()
        self.where.setAccessibleName("Path of what is played")
        self.where.textChanged.connect(self._edited)
        self.browse = button("…", "Choose a file or folder", self._browse)
        self._row("", self.kind)
        self._row("", self.where, self.browse)
        self.split = combo("Part of Speech Commands", [(s, f"{s} split", "") for s in SPLITS])
        self.mix = combo("Mix of classes", [(m, f"{m} mix", "") for m in MIXES])
        for box in (self.split, self.mix):
            box.activated.connect(self._edited)
        self.corpus_row = self._row("", self.split, self.mix)
        self.clips = QSpinBox()
        self.clips.setRange(0, 1_000_000)
        self.clips.setSpecialValueText("all clips")
        self.clips.setSuffix(" clips")
        self.clips.setSingleStep(100)
        self.clips.setAccessibleName("How many clips, drawn at random")
        self.clips.setToolTip("A random subset of about so many clips, every class in its share; 0: all")
        self.clips.setKeyboardTracking(False)
        self.clips.valueChanged.connect(self._edited)
        self.clips_row = self._row("", self.clips)
        self.mode = combo("How it is played", MODES)
        self.mode.activated.connect(self._kind_changed)
        self._row("", self.mode)

    def _build_noise(self) -> None:
        add = button("Add…", "Add a recording of your own (WAV, FLAC, OGG, MP3)", self._add_recording)
        folder = button("Folder…", "Noise recordings: each sub-folder is a kind of noise", self._choose_recordings)
        self.add_noise_button = add
        self._heading("Noises", add, folder)
        self.noises = CheckList("Noises")
        for name in PUBLISHED_NOISES:
            self.noises.add(name, name, True, f"{name}, one of the five published noises")
        self.noises.changed.connect(self._edited)
        self._column.addWidget(self.noises)
        self.snrs = QLineEdit()
        self.snrs.setAccessibleName("Signal-to-noise ratios in dB")
        self.snrs.setToolTip("Numbers in dB, for instance -5 0 5 10, or a range such as -15..15 by 5")
        self.snrs.textChanged.connect(self._edited)
        self.clean = QCheckBox("clean too")
        self.clean.setToolTip("Also without noise")
        self.clean.toggled.connect(self._edited)
        self._row("SNR, dB", self.snrs)
        self.seeds = QLineEdit()
        self.seeds.setAccessibleName("Seeds")
        self.seeds.setToolTip("Every seed draws other noise for every clip; the same seed draws the same")
        self.seeds.textChanged.connect(self._edited)
        self._row("Seeds", self.seeds, self.clean)

    def _build_networks(self, networks: Iterable[str]) -> None:
        add = button("Add…", "Add a checkpoint of your own", self._add_network)
        self._heading("Networks", add)
        self.networks = CheckList("Networks")
        for name in networks:
            self.networks.add(name, name.removeprefix("NanoMamba-"), False, name)
        self.networks.changed.connect(self._edited)
        self._column.addWidget(self.networks)

    def _build_rest(self) -> None:
        self._heading("Engines")
        self.engines = CheckList("Engines")
        for value, text, tip in (
            ("float", "software, float", "The float engine"),
            ("integer", "software, integer", "The integer engine: bit for bit what the FPGA computes"),
            (SIM, "virtual board, sim", "The integer engine behind the board's link, weights loaded over it"),
            (RTL, "virtual board, RTL", "The Verilog itself, simulated by Verilator: much slower"),
        ):
            self.engines.add(value, text, value == "float", tip)
        self.engines.changed.connect(self._edited)
        self._column.addWidget(self.engines)
        self.port = QLineEdit()
        self.port.setPlaceholderText("port of a board")
        self.port.setAccessibleName("Port of a board")
        self.port.setToolTip("A real board is measured too where its port stands here, for instance /dev/ttyUSB1")
        self.port.textChanged.connect(self._edited)
        self._row("Board", self.port)
        self._heading("Detections")
        self.detect = QCheckBox("count detections")
        self.detect.setToolTip("Words found, missed and wrongly reported, by the detection settings below")
        self.detect.toggled.connect(self._edited)
        self.as_window = button("As now", "Take the detection settings of the window", self.adopt.emit)
        self._row("", self.detect, QLabel(), self.as_window)
        self.detection_note = QLabel()
        self.detection_note.setWordWrap(True)
        self._column.addWidget(self.detection_note)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setAutoFillBackground(True)
        for label in self._headings:
            label.setFont(font(12))
            label.setStyleSheet(f"color: {theme.muted}; font-weight: 600")
        self.detection_note.setFont(font(11))
        self.detection_note.setStyleSheet(f"color: {theme.muted}")
        for widget in (self.noises, self.networks, self.engines):
            widget.setStyleSheet(
                f"QListWidget {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 5px; }}"
                "QListWidget::item { padding: 1px 2px; }"
            )
            widget.updateGeometry()

        for kind in (QLineEdit, QComboBox, QSpinBox, QCheckBox, QListWidget):
            for control in self.inner.findChildren(kind):
                control.setPalette(outlined(control.palette(), theme))

    # -- values -----------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """What the form says. Raises KWScopeError naming what is wrong."""
        kind = self.kind.currentData()
        where = self.where.text().strip()
        if kind == "playlist" and where.lower() in ("", "demo"):
            where = "demo"
        if not where:
            raise KWScopeError("Choose the folder that is to be played.")
        corpus = kind == "speech_commands"
        mode = self.mode.currentData()
        source = Source(
            kind=kind,
            where=where,
            clips=(self.clips.value() or None) if self.clips_row.isVisibleTo(self) else None,
            clean_only=self._plan.source.clean_only,
            split=self.split.currentData() if corpus else "auto",
            mix=self.mix.currentData() if corpus else "balanced",
            extra_dir=self._plan.source.extra_dir if corpus else None,
        )
        ports = self.port.text().split()
        noises, snrs = self.noises.values(), map(float, numbers(self.snrs.text(), "SNR, dB"))
        made = Plan(
            title=self._plan.title,
            source=source,
            noises=noises,
            snrs=tuple(snrs),
            clean=self.clean.isChecked(),
            seeds=tuple(whole_number(value) for value in numbers(self.seeds.text(), "Seeds")),
            networks=self.networks.values(),
            engines=(*self.engines.values(), *(BOARD + port for port in ports)),
            mode=mode,
            reference=self._plan.reference,
            gap_s=self._plan.gap_s,
            recordings=self._plan.recordings,
            detection=self._detection if self.detect.isChecked() else None,
        )
        return check_plan(made, "This experiment")

    def set_plan(self, plan: Plan) -> None:
        """Show ``plan``; its paths become whole ones."""
        plan = self._plan = plan.absolute()
        blocked = self.blockSignals(True)
        self.kind.setCurrentIndex(self.kind.findData(plan.source.kind))
        self.where.setText("" if plan.source.where == "demo" else plan.source.where)
        self.split.setCurrentIndex(self.split.findData(plan.source.split))
        self.mix.setCurrentIndex(self.mix.findData(plan.source.mix))
        self.clips.setValue(plan.source.clips or 0)
        self.mode.setCurrentIndex(self.mode.findData(plan.mode))
        self.noises.check_only(())
        for noise in plan.noises:
            self.noises.add(noise, noise_label(noise).removeprefix(RECORDED), True)
        self.snrs.setText(" ".join(str(snr).removesuffix(".0") for snr in plan.snrs))
        self.snrs.setCursorPosition(0)
        self.clean.setChecked(plan.clean)
        self.seeds.setText(" ".join(map(str, plan.seeds)))
        self.networks.check_only(())
        for network in plan.networks:
            self.networks.add(network, Path(network).stem.removeprefix("NanoMamba-"), True)
        known = {"float", "integer", SIM, RTL}
        self.engines.check_only(plan.engines)
        ports = [engine.removeprefix(BOARD) for engine in plan.engines if engine not in known]
        self.port.setText(" ".join(ports))
        self.detect.setChecked(plan.detection is not None)
        self._detection = plan.detection or self._detection
        self.blockSignals(blocked)
        self._kind_changed()

    def set_detection(self, settings: DetectionSettings) -> None:
        """Count detections with these settings."""
        self._detection = settings
        self._edited()

    # -- reactions --------------------------------------------------------------------------------------------

    def _kind_changed(self) -> None:
        kind, stream = self.kind.currentData(), self.mode.currentData() == "stream"
        self.where.setPlaceholderText("the demo playlist" if kind == "playlist" else "choose a folder…")
        self.corpus_row.setVisible(kind == "speech_commands")
        self.clips_row.setVisible(not (kind == "playlist" and stream))
        self._edited()

    def _edited(self) -> None:
        d = self._detection
        own = f", {len(d.word_thresholds)} words with their own" if d.word_thresholds else ""
        self.detection_note.setText(f"threshold {d.threshold:.2f}{own}, smoothing {d.smoothing_ms:.0f} ms")
        self.detection_note.setVisible(self.detect.isChecked())
        self.as_window.setVisible(self.detect.isChecked())
        self.changed.emit()

    def _browse(self) -> None:
        if self.kind.currentData() == "playlist":
            name, _ = QFileDialog.getOpenFileName(self, "Choose a playlist", self.where.text(), "Playlists (*.json)")
        else:
            name = QFileDialog.getExistingDirectory(self, "Choose a folder", self.where.text())
        if name:
            self.where.setText(name)

    def _add_recording(self) -> None:
        pattern = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        names, _ = QFileDialog.getOpenFileNames(self, "Add recordings of noise", "", f"Sound ({pattern})")
        for name in names:
            self.noises.add(name, Path(name).stem, True)

    def _choose_recordings(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose a folder of noise recordings", "")
        if name:
            self.use_recordings(name)

    def use_recordings(self, folder: str, checked: bool = True) -> None:
        """Offer the kinds of noise that a folder has, each of its sub-folders one."""
        try:
            kinds = dict.fromkeys(name.partition("/")[0] for name in recordings_in(folder))
        except KWScopeError as error:
            self.trouble.emit(str(error))
            return
        self._plan = replace(self._plan, recordings=folder)
        for kind in kinds:
            self.noises.add(RECORDED + kind, kind, checked, f"recordings of {kind} in {folder}")
        self._edited()

    def _add_network(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Add a network", "", "Networks (*.safetensors)")
        if name:
            self.networks.add(name, Path(name).stem, True)
