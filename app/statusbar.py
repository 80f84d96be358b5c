"""The line at the bottom: is the machine keeping up, is anything lost, is the level right, which network is it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QResizeEvent, QTextDocumentFragment
from PySide6.QtWidgets import QLabel, QStatusBar

from app.panels.waveform import decibels
from app.theme import Theme, font


@dataclass(frozen=True, slots=True)
class Health:
    """What the status bar shows; ``state`` is good, warn, bad or idle; None where nothing was measured yet."""

    source: str = ""
    state: str = "idle"
    hop_median: float | None = None  # us
    hop_p99: float | None = None  # us
    load: float | None = None  # share of real time, 0..1
    dropped: int = 0  # samples
    overflows: int = 0
    level: float | None = None  # dBFS
    level_word: str = ""
    network: str = ""
    notice: str = ""
    board: str = ""  # empty: none is wanted
    board_state: str = "idle"
    calibration: str = ""  # empty: none
    calibration_link: str = ""  # what is offered beside it: undo or cancel


_TIPS = {
    "source": "What is heard, and whether it delivers",
    "hop": "Time that the network needs for one hop of 10 ms: median and 99th percentile of the last hops",
    "load": "Share of the time that the network computes: at 100 % it could not keep up",
    "lost": "Samples lost between the device and the network, and overflows that the device reported; both should be 0",
    "level": "Loudest level (RMS of 10 ms) of the last 1.5 s against the range that the network was trained on",
    "board": "The FPGA board, or the program that stands for one (B opens its dialog)",
    "calibration": "Constants that follow a measured silence: click for what was measured (K measures again)",
    "watch": "False-accept run: how long it has listened, and the words reported (click for the figures)",
    "network": "Network and the first digits of the SHA-256 of its weights",
}
GIVES_WAY = ("hop", "load", "level", "network")
"""Fields in the order in which they leave a bar that is too narrow; all others stay."""
SPACING = 8  # px between fields


class StatusBar(QStatusBar):
    """Labels that change their text a few times a second; figures are tabular so that nothing jumps."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self.lamp = QLabel("●")
        self.fields = {name: QLabel("") for name in _TIPS}
        self.lamp.setAccessibleName("state")
        self.addWidget(self.lamp)
        for name, label in self.fields.items():
            label.setToolTip(_TIPS[name])
            label.setAccessibleName(name)
            label.setAccessibleDescription(_TIPS[name])
            if name == "network":
                self.addPermanentWidget(label)
            else:
                self.addWidget(label)
        self.setContentsMargins(10, 0, 12, 0)
        self.health = Health()
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        for label in self.fields.values():
            label.setFont(font(12))
            label.setContentsMargins(2, 2, 22, 2)
        self.fields["source"].setStyleSheet("font-weight: 600")
        self.show_health(self.health, force=True)

    def show_health(self, health: Health, force: bool = False) -> None:
        if health == self.health and not force:
            return
        self.health, t = health, self.theme
        colour = {"good": t.good, "warn": t.warn, "bad": t.bad}.get(health.state, t.muted)
        self.lamp.setText({"good": "●", "warn": "▲", "bad": "✗"}.get(health.state, "○"))
        self.lamp.setStyleSheet(f"color: {colour}")

        def put(name: str, caption: str, value: str) -> None:
            text = f'<span style="color:{t.muted}">{caption}</span> {value}' if value else ""
            label = self.fields[name]
            if label.text() != text:
                label.setText(text)
                label.setAccessibleName(f"{caption or name}: {QTextDocumentFragment.fromHtml(value).toPlainText()}")

        put("source", "", health.source)
        if health.hop_median is None or health.hop_p99 is None:
            put("hop", "", "")
            put("load", "", "")
        else:
            put("hop", "hop", f"{health.hop_median:.0f} µs · p99 {health.hop_p99:.0f} µs")
            put("load", "load", f"{100 * (health.load or 0):.1f} %")
        lost = health.dropped or health.overflows
        figures = f"{health.dropped} · overflows {health.overflows}"
        put("lost", "dropped", f'<span style="color:{t.bad}"><b>{figures}</b></span>' if lost else figures)
        put("level", "loudest", f"{decibels(health.level)} {health.level_word}" if health.level is not None else "")
        lamp = {"good": "●", "warn": "▲", "bad": "✗"}.get(health.board_state, "○")
        shade = {"good": t.good, "warn": t.warn, "bad": t.bad}.get(health.board_state, t.muted)
        put("board", "", f'<span style="color:{shade}">{lamp}</span> {health.board}' if health.board else "")
        offer = f' · <a href="{health.calibration_link}" style="color:{t.accent}">{health.calibration_link}</a>'
        said = f'<a href="show" style="color:{t.text}; text-decoration:none">{health.calibration}</a>{offer}'
        put("calibration", "", said if health.calibration else "")
        put("network", "", health.notice or health.network)
        self._fit()

    def show_watch(self, text: str) -> None:
        """How a false-accept run stands; empty: there is none."""
        label, t = self.fields["watch"], self.theme
        said = f'<span style="color:{t.bad}">●</span> '
        said += f'<a href="watch" style="color:{t.text}; text-decoration:none">False-accept run {text}</a>'
        said = said if text else ""
        if label.text() != said:
            label.setText(said)
            label.setAccessibleName(f"False-accept run: {text}" if text else "watch")
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Show as many fields as there is room for, whole: what matters least gives way first."""
        needed = {name: label.sizeHint().width() + SPACING for name, label in self.fields.items() if label.text()}
        room = self.width() - self.lamp.sizeHint().width() - 4 * SPACING
        for name in GIVES_WAY:
            if sum(needed.values()) <= room:
                break
            needed.pop(name, None)
        for name, label in self.fields.items():
            if label.isHidden() is (name in needed):
                label.setVisible(name in needed)
