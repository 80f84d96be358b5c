"""Two engines in figures: is it the same to the last bit, how often do they agree, what does the board cost."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.boards import BoardStatus
from app.engines import EngineSet, Kind
from app.history_feed import HistoryFeed
from app.hoptimes import figures, seconds
from app.panels.comparison import ALONE
from app.panels.latency import LatencyChart, Row
from app.theme import Theme, font, scaled
from kwscore.board.resources import read_resources
from kwscore.stream.comparison import FIRST, SECOND, Comparison, ComparisonSummary

LEAST = 130  # px, height at 100 % text size
RECENT = 1000  # columns (10 s) of the distributions
EVERY = 6  # frames between two looks at the figures: five a second can be read
_ROWS = (  # name, tip
    ("Same class", "Share of frames in which both engines' largest logit is the same class's. Sure: only frames in "
     "which the first engine leads by more than 0.2"),
    ("Largest difference", "The largest difference of any logit in any frame, and when that was"),
    ("Mean difference", "Mean absolute difference of a logit over all frames"),
    ("Top-1 margin", "Mean lead of the first engine's best class over its second best, in logits: a difference far "
     "below it changes no decision"),
    ("Detections", "Words that both reported (within half a second), and those that one reported alone"),
    ("Board clock", "Clock of the board's logic, and how many of its cycles a frame took: median and most. A "
     "board that is a program (sim) has neither"),
    ("Board logic", "Look-up tables, flip-flops, multipliers and memories (36 kbit) after synthesis by Yosys, and the "
     "longest path of logic without routing"),
)  # fmt: skip


class ComparisonPanel(QWidget):
    """Figures at the left, times at the right; asks for nothing while it is not seen."""

    key = "comparison"
    title = "Comparison: two engines on the same samples, in figures"
    about = (
        "All figures are over every frame since the two engines began together (or since Count anew). Integers and "
        "board have to be equal to the last bit; floating point differs a little from both."
    )
    count_anew_wanted = Signal()
    pair_wanted = Signal()  # software beside the board

    def __init__(self, theme: Theme, feed: HistoryFeed) -> None:
        super().__init__()
        self.feed = feed
        self.engines: EngineSet | None = None
        self.resources = read_resources()
        self._frame = 0
        self.setMinimumSize(420, scaled(LEAST, 0.5))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(self.about)
        self.hint = QLabel(ALONE)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setWordWrap(True)
        self.pair_button = QPushButton("Software beside the board")
        self.pair_button.setToolTip("Integers in software and the board; without hardware the virtual board")
        self.pair_button.clicked.connect(self.pair_wanted)
        self.lamp, self.verdict = QLabel("○"), QLabel("")
        self.lamp.setAccessibleName("Lamp")
        self.verdict.setAccessibleName("Bit-exact or not")
        self.verdict.setWordWrap(True)
        self.anew = QToolButton()
        self.anew.setText("Count anew")
        self.anew.setAccessibleName("Count the comparison anew")
        self.anew.setToolTip("Forget the figures and count from now on; the curves stay")
        self.anew.clicked.connect(self.count_anew_wanted)
        self.names: list[QLabel] = []
        self.values: dict[str, QLabel] = {}
        self.latency = LatencyChart(theme)
        self.stack = QStackedLayout(self)
        self.stack.addWidget(self._empty())
        self.stack.addWidget(self._data())
        self.set_theme(theme)

    def _empty(self) -> QWidget:
        column = QVBoxLayout()
        column.addStretch(1)
        column.addWidget(self.hint)
        column.addWidget(self.pair_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        empty = QWidget()
        empty.setLayout(column)
        return empty

    def _data(self) -> QWidget:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.lamp)
        head.addWidget(self.verdict, 1)
        head.addWidget(self.anew)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(3)
        for row, (name, tip) in enumerate(_ROWS):
            label, value = QLabel(name), QLabel("")
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(name)
            for each in (label, value):
                each.setToolTip(f"<p>{tip}</p>")
            grid.addWidget(label, row, 0)
            grid.addWidget(value, row, 1)
            self.names.append(label)
            self.values[name] = value
        grid.setColumnStretch(1, 1)
        left = QVBoxLayout()
        left.setContentsMargins(12, 4, 12, 4)
        left.addLayout(head)
        left.addLayout(grid)
        left.addStretch(1)
        figures_side = QWidget()
        figures_side.setLayout(left)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setAccessibleName("Figures of the comparison")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(figures_side)
        data = QWidget()
        row_layout = QHBoxLayout(data)
        row_layout.setContentsMargins(0, 0, 0, 0)
        row_layout.setSpacing(0)
        row_layout.addWidget(scroll, 4)
        row_layout.addWidget(self.latency, 5)
        return data

    def sizeHint(self) -> QSize:
        return QSize(900, 230)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setAutoFillBackground(True)
        self.setMinimumHeight(scaled(LEAST, 0.5))
        self.hint.setFont(font(13))
        self.hint.setStyleSheet(f"color: {theme.muted}")
        self.lamp.setFont(font(20))
        self.verdict.setFont(font(14, QFont.Weight.DemiBold))
        for label in self.names:
            label.setFont(font(12))
            label.setStyleSheet(f"color: {theme.muted}")
        for value in self.values.values():
            value.setFont(font(12))
        self.latency.set_theme(theme)
        self._frame = 0

    def set_engines(self, engines: EngineSet) -> None:
        """These run from now on."""
        self.engines = engines
        self._frame = 0

    def advance(self, board: BoardStatus) -> None:
        """Called with every frame; looks at the figures five times a second. Free while not seen."""
        if self.visibleRegion().isEmpty():
            return
        comparison, engines = self.feed.comparison, self.engines
        self.stack.setCurrentIndex(0 if comparison is None or engines is None else 1)
        if comparison is None or engines is None:
            return
        if self._frame % EVERY == 0:
            self._write(comparison, engines, board)
        self._frame += 1

    def _write(self, comparison: Comparison, engines: EngineSet, board: BoardStatus) -> None:
        summary = comparison.summary()
        lamp, colour, text = self._verdict(summary, engines)
        self.lamp.setText(lamp)
        self.lamp.setStyleSheet(f"color: {colour}")
        self.verdict.setText(text)
        first, second = engines.names
        times = [comparison.latency(engine, comparison.end - RECENT, comparison.end) for engine in (FIRST, SECOND)]
        kinds = engines.choice.primary, engines.choice.reference.kind if engines.choice.reference else Kind.FLOAT
        rows = []
        for name, kind, time in zip((first, second), kinds, times, strict=True):
            timed = kind is not Kind.BOARD or board.info is None or board.info.counts_cycles
            if timed:
                rows.append(Row(f"{name}: compute", "compute", time.compute))
            if kind is Kind.BOARD:
                rows.append(Row(f"{name}: link" if timed else f"{name}: round trip", "link", time.link))
        self.latency.show_rows(rows)
        if not summary.frames:
            for value in self.values.values():
                value.setText("–")
        else:
            self._fill(summary, engines)
        self._board(times[kinds.index(Kind.BOARD)].compute if Kind.BOARD in kinds else None, board)

    def _verdict(self, summary: ComparisonSummary, engines: EngineSet) -> tuple[str, str, str]:
        """Lamp, colour and words: the shape and the words say it without the colour."""
        t, frames = self.theme, f"{summary.frames:,} frames"
        if not summary.frames:
            return "○", t.muted, "Waiting for frames of both engines…"
        if summary.bit_exact:
            return "●", t.good, f"Bit-exact: all {frames} equal"
        differ = summary.frames - summary.equal
        if engines.exact:
            at = f"{float(seconds(summary.unequal_at)):.2f} s" if summary.unequal_at is not None else ""
            return "✗", t.bad, f"Not bit-exact: {differ:,} of {frames} differ, the first at {at}"
        what = "two networks" if engines.choice.reference and engines.choice.reference.network else "other arithmetic"
        return "◐", t.muted, f"Not meant to be bit-exact ({what}): {differ:,} of {frames} differ"

    def _fill(self, summary: ComparisonSummary, engines: EngineSet) -> None:
        sure = f" · sure {100 * summary.agreeing_sure / summary.sure:.2f} %" if summary.sure else ""
        at = f" at {float(seconds(summary.largest_at)):.2f} s" if summary.largest_at is not None else ""
        events = summary.events
        said = {
            "Same class": f"{100 * summary.agreement:.2f} % of {summary.frames:,} frames{sure}",
            "Largest difference": f"{summary.largest_difference:.4g}{at if summary.largest_difference else ''}",
            "Mean difference": f"{summary.mean_difference:.3g}",
            "Top-1 margin": f"{summary.mean_margin:.2f}",
            "Detections": f"{events.matched} both · {events.only[0]} only {engines.names[0]} · "
            f"{events.only[1]} only {engines.names[1]}",
        }
        for name, text in said.items():
            self.values[name].setText(text)

    def _board(self, compute: object, board: BoardStatus) -> None:
        clock, logic = self.values["Board clock"], self.values["Board logic"]
        numbers = figures(compute) if compute is not None else None  # type: ignore[arg-type]
        if board.info is None:
            clock.setText("no board")
        elif not board.info.counts_cycles:
            clock.setText("none, nor a cycle counter: this board is a program")
        else:
            hertz = board.info.clock_hz
            cycles = (
                f" · {numbers.median * hertz / 1e6:,.0f} cycles a frame, at most {numbers.worst * hertz / 1e6:,.0f}"
                if numbers is not None
                else ""
            )
            clock.setText(f"{hertz / 1e6:g} MHz{cycles}")
        if self.resources:
            best = self.resources[0]
            logic.setText(
                f"{best.lut:,} LUT · {best.ff:,} FF · {best.dsp} DSP · {best.ramb36:g} RAMB36 · "
                f"{best.logic_ns:.1f} ns ({best.top})"
            )
        else:
            logic.setText("no synthesis report in this installation")
