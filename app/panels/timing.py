"""Engine time per hop: is the network fast enough, how steady is it, and what was the worst.

The charts need pyqtgraph, which is imported when the panel is first seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from app import hoptimes
from app.feed import Feed
from app.theme import Theme, font, scaled

if TYPE_CHECKING:
    from app.panels.timing_chart import TimingChart

LEAST = 96  # px, height at 100 % text size
_TIP = (
    "Of the 10 s before the newest moment shown: median, 99th percentile and longest time that the network needed for "
    "one hop, and the share of real time that this takes (at 100 % it could not keep up). Dropped: samples lost "
    "between device and network since the source was opened."
)


class TimingPanel(QWidget):
    """Charts, and one line of figures below."""

    key = "timing"
    title = "Timing: how long the network needs for each hop"
    about = (
        "Left: the engine's time for every hop of 10 ms, and median and 99th percentile of the 2 s before. Right: how "
        "many hops of the last 10 s took how long. Both scales are logarithmic, so that one slow hop among a thousand "
        "is seen. Wheel zooms, drag moves, a double click goes back; a right click exports data and pictures."
    )
    empty = "Press Start (Space): here appears how long the network needs for each hop"

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.theme = theme
        self.feed = feed
        self.chart: TimingChart | None = None
        self.dropped = 0
        self._explored = False
        self.setMinimumSize(360, scaled(LEAST))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(self.about)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")
        self.hint = QLabel(self.empty)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.numbers = QLabel("")
        self.numbers.setToolTip(f"<p>{_TIP}</p>")
        self.numbers.setAccessibleName("Engine time per hop, in figures")
        self.numbers.setContentsMargins(12, 0, 12, 3)
        self.numbers.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.data = QWidget()
        self._column = QVBoxLayout(self.data)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.numbers)
        self.stack = QStackedLayout(self)
        self.stack.addWidget(self.hint)
        self.stack.addWidget(self.data)
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        return QSize(900, 190)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setAutoFillBackground(True)
        self.hint.setFont(font(13))
        self.hint.setStyleSheet(f"color: {theme.muted}")
        self.setMinimumHeight(scaled(LEAST))
        self.numbers.setFont(font(12))
        self.numbers.setMinimumHeight(scaled(19))
        if self.chart is not None:
            self.chart.set_theme(theme)
        self._write()

    def set_hint(self, text: str) -> None:
        """What to say instead of ``empty`` while there is nothing to show."""
        self.hint.setText(text or self.empty)

    def set_dropped(self, samples: int) -> None:
        """Samples lost since the source was opened; rewrites the figures, which need not follow every frame."""
        self.dropped = samples
        self._write()

    def advance(self, end: int, shown: int, live: bool) -> None:
        """Show ``shown`` columns up to ``end``; ``live``: the display follows what is heard. Free while not seen."""
        if self.visibleRegion().isEmpty():  # a tab behind another one counts as visible
            return
        heard = self.feed.end > 0
        self.stack.setCurrentIndex(1 if heard else 0)
        if heard:
            self._made().advance(end, shown, live)

    def _made(self) -> TimingChart:
        if self.chart is None:
            from app.panels.timing_chart import TimingChart

            self.chart = TimingChart(self.theme, self.feed)
            self.chart.explored.connect(self._set_explored)
            self._column.insertWidget(0, self.chart, 1)
        return self.chart

    def _set_explored(self, on: bool) -> None:
        self._explored = on
        self._write()

    def _write(self) -> None:
        figures = self.chart.figures if self.chart is not None else None
        if figures is None:
            self.numbers.setText("")
            return
        t = self.theme
        late = figures.worst > hoptimes.LIMIT_US
        fields = (
            ("median", hoptimes.spoken(figures.median), False),
            ("p99", hoptimes.spoken(figures.p99), figures.p99 > hoptimes.LIMIT_US),
            ("worst", hoptimes.spoken(figures.worst), late),
            ("load", f"{100 * figures.load:.2f} %", figures.load >= 1),
            ("dropped", f"{self.dropped} samples", self.dropped > 0),
        )
        gap = "&nbsp;" * 6
        text = gap.join(
            f'<span style="color:{t.muted}">{name}</span>&nbsp;<span style="color:{t.bad if bad else t.text}">'
            f"{'<b>' + value + '</b>' if bad else value}</span>"
            for name, value, bad in fields
        )
        if self._explored:
            text += f'{gap}<span style="color:{t.accent}">zoomed: double click in the chart to follow again</span>'
        if text != self.numbers.text():
            self.numbers.setText(text)
