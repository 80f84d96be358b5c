"""The window of noise experiments: the plan at the left, curve and table at the right, both filling as it runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSplitter,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import icons
from app.experiment_process import ExperimentProcess
from app.panels.experiment_chart import ExperimentChart
from app.panels.experiment_plan import PlanEditor
from app.panels.experiment_table import ExperimentTable
from app.theme import Theme, font
from kwscore.errors import KWScopeError
from kwscore.experiment.example import save_plan
from kwscore.experiment.plan import Plan, load_plan
from kwscore.files import beside
from kwscore.stream.detection import DetectionSettings

PLANS = "Experiments (*.toml *.json)"
PLAN_FILE, RESULTS = "experiment.toml", "results"
STYLE = """
#experiment {{ background: {window}; }}
#bar {{ background: {surface}; border-bottom: 1px solid {line}; }}
#foot {{ background: {surface}; border-top: 1px solid {line}; }}
QSplitter::handle {{ background: {window}; }}
QProgressBar {{ border: 1px solid {line}; border-radius: 4px; background: {raised}; max-height: 8px; }}
QProgressBar::chunk {{ background: {accent}; border-radius: 3px; }}
"""


class ExperimentWindow(QWidget):
    """One experiment at a time. The window may stay open beside the main one, which goes on listening."""

    def __init__(
        self,
        theme: Theme,
        networks: Iterable[str],
        detection: Callable[[], DetectionSettings],
        process: ExperimentProcess | None = None,
    ) -> None:
        """``detection``: the settings of the main window as they are when asked."""
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName("experiment")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("Noise experiment - KWScope")
        self.setMinimumSize(860, 520)
        self.resize(1240, 780)
        self.setAcceptDrops(True)
        self.theme = theme
        self.file = ""  # of the plan, for the title of dialogs
        self._folder: Path | None = None
        self._detection = detection
        self._error = ""
        self._left_out: list[str] = []
        self.process = process or ExperimentProcess(self)
        self.editor = PlanEditor(theme, networks, detection())
        self.chart = ExperimentChart(theme)
        self.table = ExperimentTable(theme)
        self._build_bar()
        self._build_foot()
        self._put_together()
        self._connect()
        self.set_theme(theme)
        self._say("Ready. Press Run, and go on listening meanwhile.")

    # -- building ---------------------------------------------------------------------------------------------

    def _build_bar(self) -> None:
        self.run_button = _button(
            "Run", "Run the experiment (Ctrl+Return); what is measured already is kept", "primary"
        )
        self.pause_button = _button("Pause", "Hold after the present clip; press again to go on")
        self.pause_button.setCheckable(True)
        self.cancel_button = _button("Cancel", "End after the present clip; what is finished stays")
        self.open_button = _button("Open…", "Open the plan of an experiment (Ctrl+O)")
        self.save_button = _button("Save plan…", "Save the plan, for 'kwscope experiment FILE' too (Ctrl+S)")
        self.export_button = _button(
            "Export results…", "Write tables (CSV, JSON), the plot (PNG) and the plan (Ctrl+E)"
        )
        self.bar = QWidget()
        self.bar.setObjectName("bar")
        self.bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self.bar)
        row.setContentsMargins(10, 6, 10, 6)
        row.setSpacing(4)
        for button in (self.run_button, self.pause_button, self.cancel_button):
            row.addWidget(button)
        self.summary = QLabel("")
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.summary.setContentsMargins(10, 0, 10, 0)
        row.addWidget(self.summary, 1)
        for button in (self.open_button, self.save_button, self.export_button):
            row.addWidget(button)

    def _build_foot(self) -> None:
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(220)
        self.progress.setAccessibleName("Progress of the experiment")
        self.state = QLabel("")
        self.state.setAccessibleName("State of the experiment")
        self.state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.state.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.foot = QWidget()
        self.foot.setObjectName("foot")
        self.foot.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self.foot)
        row.setContentsMargins(12, 5, 12, 5)
        row.setSpacing(12)
        row.addWidget(self.progress)
        row.addWidget(self.state, 1)

    def _put_together(self) -> None:
        holder = QWidget()
        self.table_stack = QStackedLayout(holder)
        self.table_hint = QLabel("The figures of every network, engine, noise and SNR are listed here.")
        self.table_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table_hint.setAutoFillBackground(True)
        self.table_stack.addWidget(self.table_hint)
        self.table_stack.addWidget(self.table)
        self.right = QSplitter(Qt.Orientation.Vertical)
        self.right.addWidget(self.chart)
        self.right.addWidget(holder)
        self.right.setStretchFactor(0, 3)
        self.right.setStretchFactor(1, 2)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.editor)
        self.split.addWidget(self.right)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([290, 950])
        for splitter in (self.right, self.split):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(5)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.split, 1)
        column.addWidget(self.foot)

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.run)
        self.pause_button.toggled.connect(self._pause)
        self.cancel_button.clicked.connect(self._cancel)
        self.open_button.clicked.connect(self._open)
        self.save_button.clicked.connect(self._save)
        self.export_button.clicked.connect(self._export)
        for keys, slot in (
            ("Ctrl+Return", self.run), ("Ctrl+O", self._open), ("Ctrl+S", self._save), ("Ctrl+E", self._export),
            ("Ctrl+W", self.close), ("Escape", self.close),
        ):  # fmt: skip
            QShortcut(QKeySequence(keys), self).activated.connect(slot)
        self.editor.changed.connect(self._update)
        self.editor.adopt.connect(lambda: self.editor.set_detection(self._detection()))
        self.editor.trouble.connect(lambda sentence: self._say(sentence, "bad"))
        self.process.noted.connect(self._note)
        self.process.progressed.connect(self._progressed)
        self.process.row.connect(self._take_row)
        self.process.ended.connect(self._ended)

    def sizeHint(self) -> QSize:
        return QSize(1240, 780)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        names = ("window", "surface", "line", "raised", "accent")
        self.setStyleSheet(STYLE.format(**{name: getattr(theme, name) for name in names}))
        for part in (self.editor, self.chart, self.table):
            part.set_theme(theme)
        self.table_hint.setFont(font(12))
        self.table_hint.setStyleSheet(f"color: {theme.muted}")
        self.state.setFont(font(12))
        self.summary.setFont(font(12))
        self.run_button.setIcon(icons.icon("start", theme.on_accent))
        self._update()

    # -- what the user wants ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Begin, or go on with what was cancelled: units that are measured already are taken over."""
        if self.process.running:
            return
        try:
            plan = self.editor.plan().absolute()
            folder = self._results()
            save_plan(plan, folder / PLAN_FILE)
        except KWScopeError as error:
            self._say(str(error), "bad")
            return
        self.table.clear()
        self.chart.set_rows(())
        for name in folder.glob(f"{RESULTS}/results.*"):
            name.unlink()  # those of an earlier plan
        self.progress.setValue(0)
        self._left_out = []
        self._say("Starting…")
        self.process.start(folder / PLAN_FILE, folder / RESULTS)
        self._update()

    def _results(self) -> Path:
        """The folder that keeps what has been measured while this window lives."""
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="kwscope-experiment-"))
            except OSError as error:
                raise KWScopeError(
                    f"There is no place for results ({error.strerror or error}): make room in the temporary folder."
                ) from None
        return self._folder

    def _pause(self, on: bool) -> None:
        if on:
            self.process.pause()
        else:
            self.process.go_on()
        self._update()

    def _cancel(self) -> None:
        self.process.cancel()
        self._say("Ending…")

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open an experiment", self.file, PLANS)
        if name:
            self.open_plan(Path(name))

    def open_plan(self, path: Path) -> None:
        """Show the plan of a file; trouble becomes a sentence."""
        try:
            self.editor.set_plan(load_plan(path))
        except KWScopeError as error:
            self._say(str(error), "bad")
            return
        self.file = str(path)
        self._say(f"{path.name} is open. Press Run.")
        self._update()

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the plan", self.file or "experiment.toml", PLANS)
        if name:
            self.save_to(Path(name if Path(name).suffix else name + ".toml"))

    def save_to(self, path: Path) -> None:
        """Write the plan; trouble becomes a sentence."""
        try:
            save_plan(self.editor.plan().absolute(), path)
        except KWScopeError as error:
            self._say(str(error), "bad")
            return
        self.file = str(path)
        self._say(f"Saved. Without the window: kwscope experiment {path}")

    def _export(self) -> None:
        if not self.export_button.isEnabled():
            return
        name = QFileDialog.getExistingDirectory(self, "Folder for tables, plot and plan", "")
        if name:
            self.export_to(Path(name))

    def export_to(self, target: Path) -> None:
        """Copy tables, plot and plan into ``target``, each beside and renamed; trouble becomes a sentence."""
        if self._folder is None:
            return
        files = [*sorted((self._folder / RESULTS).glob("*.*")), self._folder / PLAN_FILE]
        try:
            target.mkdir(parents=True, exist_ok=True)
            for file in files:
                with beside(target / file.name) as part:
                    shutil.copyfile(file, part)
        except OSError as error:
            self._say(f"{target} cannot be written ({error.strerror or error}): choose another folder.", "bad")
            return
        self._say(f"Written to {target}: {', '.join(file.name for file in files)}")

    # -- what the process reports -----------------------------------------------------------------------------

    def _note(self, sentence: str) -> None:
        """What is left out is said again at the end."""
        if sentence.startswith("Left out"):
            self._left_out.append(sentence)
        self._say(sentence)

    def _progressed(self, record: dict[str, Any]) -> None:
        self.progress.setValue(round(1000 * record["share"]))
        left = record["seconds_left"]
        rest = "" if left is None else f" · about {left / 60:.0f} min left" if left >= 90 else f" · {left:.0f} s left"
        name = record["network"].removeprefix("NanoMamba-")
        self._say(
            f"{record['done']} of {record['total']}{rest} · {name}, {record['engine']}, {record['condition']}"
            + (" · paused" if self.process.paused else "")
        )

    def _take_row(self, row: dict[str, Any]) -> None:
        self.table.put(row)
        self.table_stack.setCurrentIndex(1)
        self.chart.set_rows(self.table.model.rows)

    def _ended(self, outcome: str, sentence: str) -> None:
        self.pause_button.blockSignals(True)
        self.pause_button.setChecked(False)
        self.pause_button.blockSignals(False)
        rows = len(self.table.model.rows)
        if outcome == "done":
            self.progress.setValue(1000)
            self._say(" ".join([f"Done: {rows} rows; Export writes tables, plot and plan.", *self._left_out]), "good")
        elif outcome == "cancelled":
            self._say(f"Cancelled after {rows} rows; Run goes on from here.")
        else:
            self._say(sentence, "bad")
        self._update()

    # -- state ------------------------------------------------------------------------------------------------

    def _say(self, sentence: str, level: str = "") -> None:
        colour = getattr(self.theme, level) if level else self.theme.text
        self.state.setStyleSheet(f"color: {colour}")
        self.state.setText(sentence)
        self.state.setToolTip(sentence)

    def _update(self) -> None:
        """Buttons and summary by the plan and the process."""
        running = self.process.running
        self._error = ""
        try:
            text = _summary(self.editor.plan())
        except KWScopeError as error:
            text = self._error = str(error)
        self.summary.setText(text)
        self.summary.setToolTip(text)
        self.summary.setStyleSheet(f"color: {self.theme.bad if self._error else self.theme.muted}")
        self.run_button.setEnabled(not running and not self._error)
        self.pause_button.setEnabled(running)
        self.pause_button.setText("Go on" if self.process.paused and running else "Pause")
        self.cancel_button.setEnabled(running)
        self.open_button.setEnabled(not running)
        self.editor.setEnabled(not running)
        self.export_button.setEnabled(not running and bool(self.table.model.rows))
        self.save_button.setEnabled(not self._error)
        self.table_stack.setCurrentIndex(1 if self.table.model.rows else 0)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and not self.process.running:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.open_plan(Path(event.mimeData().urls()[0].toLocalFile()))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Only hides: an experiment goes on, and its results stay until the main window closes."""
        event.accept()

    def dispose(self) -> None:
        """End the experiment and remove its temporary results."""
        self.process.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self.close()


def _summary(plan: Plan) -> str:
    """What will be measured, in one line."""
    noises = f"{len(plan.noises)} noise{'s' if len(plan.noises) != 1 else ''} × {len(plan.snrs)} SNR"
    parts = [noises + (" and clean" if plan.clean else "") if plan.noises else "clean"]
    for values, name in ((plan.networks, "networks"), (plan.engines, "engines"), (plan.seeds, "seeds")):
        if len(values) > 1:
            parts.append(f"{len(values)} {name}")
    rows = plan.conditions * len(plan.networks) * len(plan.engines)
    return f"{' × '.join(parts)} = {rows} row{'s' if rows != 1 else ''}"


def _button(text: str, tip: str, name: str = "") -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(text.rstrip("…"))
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
