"""One line under each panel: what to look for in it right now. Every sentence follows from figures by a fixed rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.feature import Feature
from app.feed import HELD, Array, Columns, Feed
from app.panels.bandmap import band_at
from app.panels.waveform import CLIPPED, decibels
from kwscore.audio.level import FLOOR_DBFS
from kwscore.constants import LABELS, N_MELS, SILENCE, UNKNOWN, WORDS
from kwscore.models.melbank import mel_filterbank
from kwscore.stream.truesnr import LEAST_DB, MOST_DB, agreement, estimate_db

if TYPE_CHECKING:
    from app.statusbar import Health
    from app.window import MainWindow

NOW, BEFORE, GAP = 30, 150, 40  # columns: the present, what it is compared with, and what lies between
LOOKED = NOW + GAP + BEFORE
EVERY = 3  # looks of the window's status between two captions: a line that changes faster cannot be read
REGIONS = (("below 1 kHz", 0.0, 1000.0), ("between 1 and 4 kHz", 1000.0, 4000.0), ("above 4 kHz", 4000.0, 8000.0))
CLEAR_DB, NOISE_DB = 6.0, 0.0
SUNK = 0.12  # of the estimate
STEADY_DB = 4.0  # range of the level in 0.3 s: noise stays within, words do not
MOVED_SHARE, MOVED_RATIO, MOVED_GATE = 0.06, 1.4, 0.1
STANDS_OUT = 1.5  # times what a band mostly gives
_WIDTH_DB = 20 * np.log10(mel_filterbank().sum(axis=1))


class Scene(NamedTuple):
    """What captions are made of: the columns up to the moment they speak of, at least ``NOW``; names; thresholds."""

    columns: Columns
    experts: Sequence[str]
    thresholds: Sequence[float]

    def now(self, field: str) -> Array:
        """Mean of a field over the last 0.3 s."""
        return np.asarray(getattr(self.columns, field)[-NOW:].mean(axis=0))

    def before(self, field: str) -> Array | None:
        """Mean over the 1.5 s that ended 0.4 s before that; None where they were not heard whole."""
        if len(self.columns) < LOOKED:
            return None
        return np.asarray(getattr(self.columns, field)[-LOOKED : -NOW - GAP].mean(axis=0))


def _minus(text: str) -> str:
    return text.replace("-", "−")


def waveform(scene: Scene) -> str:
    """Clipping, silence, a rise or fall of the level, or how steady it is."""
    columns = scene.columns
    recent = slice(-HELD, None)
    if (columns.high[recent] >= CLIPPED).any() or (columns.low[recent] <= -CLIPPED).any():
        return "Samples reach full scale: the sound is cut off. Move back, or lower the gain."
    now = float(scene.now("level"))
    if now <= FLOOR_DBFS + 1:
        return "Digital silence: nothing arrives, not even noise."
    before = scene.before("level")
    if before is not None and abs(now - float(before)) > 8:
        verb = "rises" if now > float(before) else "falls"
        return f"The level {verb} by {abs(now - float(before)):.0f} dB to {decibels(now)}."
    return f"Level {decibels(now)}, within {np.ptp(columns.level[recent]):.0f} dB over the last 1½ s."


def _regions(values: Array) -> list[tuple[str, float]]:
    """Mean of values (40,) by region."""
    edges = [(name, round(band_at(low)), round(band_at(high))) for name, low, high in REGIONS]
    return [(name, float(values[max(low, 0) : min(high, N_MELS)].mean())) for name, low, high in edges]


def spectrogram(scene: Scene) -> str:
    """Where the energy is, for equal widths of band (white noise is even), or that it is spread."""
    parts = _regions(scene.now("mel_db") - _WIDTH_DB)
    (name, most), least = max(parts, key=lambda part: part[1]), min(part[1] for part in parts)
    if most - least < 6:
        steady = np.ptp(scene.columns.level[-NOW:]) < STEADY_DB
        return "Energy is spread evenly and steadily: white noise looks like this." if steady else "Energy everywhere."
    kind = {0: "voices, hum and engines", 1: "the middle of a voice", 2: "hisses such as s and t"}
    index = [region[0] for region in REGIONS].index(name)
    return f"Most energy {name}, {most - least:.0f} dB over the weakest region: {kind[index]}."


def snr(scene: Scene) -> str:
    """A noise that begins, what stands out and where, what sank below the floor, or that nothing stands out."""
    raw = dict(_regions(scene.now("snr")))
    now = _regions(estimate_db(scene.now("snr")))
    name, best = max(now, key=lambda part: part[1])
    if min(value for _, value in now) > NOISE_DB and np.ptp(scene.columns.level[-NOW:]) < STEADY_DB:
        return "All bands stand out at once and evenly: a noise has begun, and its floor is not followed yet."
    if best > CLEAR_DB:
        return f"Something stands out {name}: {raw[name]:.2f}, about {best:.0f} dB above the noise."
    before = scene.before("snr")
    if before is not None:
        past = dict(_regions(before))
        sunk = max(raw, key=lambda region: past[region] - raw[region])
        if past[sunk] - raw[sunk] > SUNK and dict(now)[sunk] < NOISE_DB:
            region = sunk[0].upper() + sunk[1:]
            return f"{region} the SNR falls from {past[sunk]:.2f} to {raw[sunk]:.2f}: all taken for noise."
    if best < NOISE_DB:
        return f"Nothing stands out (mean {float(scene.now('snr').mean()):.2f}): all of it is taken for noise."
    return f"Little stands out: at best {best:.0f} dB over the noise, {name}."


def truesnr(scene: Scene) -> str:
    """How far the estimate is from the truth."""
    columns = scene.columns
    known = np.isfinite(columns.true_snr[:, 0])
    if not known[-NOW:].any():
        return "Mix noise in, or wait for the noisy words of the demo: then the true SNR is known."
    # within what the panel shows: below its scale a figure has no meaning
    estimate, truth = (np.clip(each[known], LEAST_DB, MOST_DB) for each in (estimate_db(columns.snr), columns.true_snr))
    loud = truth > CLEAR_DB
    r = agreement(estimate, truth)
    told = f"r {r:.2f}" if np.isfinite(r) else "too little changes for a correlation"
    if not loud.any():
        return _minus(f"No band is {CLEAR_DB:.0f} dB above the noise; {told}.")
    error = float(np.median(estimate[loud] - truth[loud]))
    side = "too low" if error < 0 else "too high"
    return _minus(f"In bands {CLEAR_DB:.0f} dB above the noise the estimate is {abs(error):.0f} dB {side}; {told}.")


def pcen(scene: Scene) -> str:
    """How many bands stand out of what they usually give."""
    past = scene.columns.pcen
    if not np.isfinite(past[-NOW:]).all():
        return "This engine does not send what its front end computes."
    if not len(scene.experts):
        return "The logarithm of the energy: this network has no gain control."
    usual = np.median(past, axis=0)
    count = int((past[-NOW:].max(axis=0) > STANDS_OUT * usual).sum())
    if count < 5:
        return "An even carpet: the gain control has removed what is steady."
    return f"{count} of {N_MELS} bands stand out of the carpet: that is what the network hears."


def routing(scene: Scene) -> str:
    """Whether the mixture of the experts moves, and to which."""
    if not len(scene.experts):
        return "One front end: nothing to route."
    now, before = scene.now("routing"), scene.before("routing")
    if before is not None:
        most = int(np.argmax(now - before))
        if now[most] - before[most] > MOVED_SHARE:
            return f"Routing moves to the {scene.experts[most]} expert: {before[most]:.2f} → {now[most]:.2f}."
    lead = int(now.argmax())
    return f"Leans to the {scene.experts[lead]} expert ({now[lead]:.2f}), steady."


def delta(scene: Scene) -> str:
    """Whether a block's memory is overwritten or kept."""
    now, before = scene.now("delta_mean"), scene.before("delta_mean")
    if not len(now):
        return "This network has no state-space memory."
    if before is not None:
        ratio = now / np.maximum(before, 1e-6)
        block = int(np.argmax(np.abs(np.log(np.maximum(ratio, 1e-6)))))
        told = f"Δ of block {block + 1} {{}} from {before[block]:.2f} to {now[block]:.2f}: "
        if ratio[block] > MOVED_RATIO:
            return told.format("rises") + "what is heard now overwrites the memory."
        if ratio[block] < 1 / MOVED_RATIO:
            return told.format("falls") + "the memory is kept."
    return f"Δ steady at {' and '.join(f'{value:.2f}' for value in now)}."


def gate(scene: Scene) -> str:
    """Whether more or less is let in than before."""
    now, before = scene.now("gate_mean"), scene.before("gate_mean")
    if not len(now) or not np.isfinite(now).all():
        return "No gate is known of this network or engine."
    if before is not None and np.isfinite(before).all():
        block = int(np.argmax(np.abs(now - before)))
        if abs(now[block] - before[block]) > MOVED_GATE:
            verb = "opens" if now[block] > before[block] else "closes"
            return f"The gate of block {block + 1} {verb}: {before[block]:.2f} → {now[block]:.2f}."
    least = float(scene.now("gate_low").min())
    return f"Open to {' and '.join(f'{v:.2f}' for v in now)} on average; the most closed state lets {least:.2f} in."


def posteriors(scene: Scene) -> str:
    """Which answer leads, and whether it is enough."""
    columns = scene.columns
    newest = columns.posteriors[-1]
    best = int(newest[: len(WORDS)].argmax())
    if newest[best] >= scene.thresholds[best]:
        return f"“{LABELS[best]}” leads with {newest[best]:.2f}, above its threshold of {scene.thresholds[best]:.2f}."
    lead = int(newest.argmax())
    if newest[best] > 0.15:
        return (
            f"“{LABELS[best]}” stands at {newest[best]:.2f}: not enough, its threshold is {scene.thresholds[best]:.2f}."
        )
    name = {SILENCE: "Silence", UNKNOWN: "Speech that is none of the ten words"}.get(lead, f"“{LABELS[lead]}”")
    return f"{name} leads with {newest[lead]:.2f}: no word."


CAPTIONS: dict[str, Callable[[Scene], str]] = {
    "waveform": waveform, "spectrogram": spectrogram, "snr": snr, "truesnr": truesnr, "pcen": pcen,
    "routing": routing, "delta": delta, "gate": gate, "posteriors": posteriors,
}  # fmt: skip


def caption(key: str, feed: Feed, at: int) -> str:
    """The line for the panel ``key`` about the columns before ``at``; empty where there is nothing to say yet."""
    write = CAPTIONS.get(key)
    columns = feed.columns(at - 2 * LOOKED, at)
    if write is None or len(columns) < NOW:
        return ""
    return write(Scene(columns, feed.expert_names, feed.thresholds))


class Captions(Feature):
    """Switched by the command ``captions`` and remembered. Speaks of the cursor where one is placed, else of the newest
    column."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.on = False
        self._looks = 0
        self._said_at: int | None = None
        if window.settings.captions:
            action = window.actions_by_name["captions"]
            action.blockSignals(True)  # nobody carries commands out yet
            action.setChecked(True)
            action.blockSignals(False)
            self.do_captions(True)

    def do_captions(self, on: bool) -> None:
        self.on = on
        if self.window.settings.captions is not on:
            self.window.settings.captions = on
            self.window.preference_changed.emit("captions")
        self._looks, self._said_at = 0, None
        for key, panel in self.window.time_panels.items():
            panel.set_caption("" if on and key in CAPTIONS else None)
        self._write()

    def status(self, health: Health) -> None:
        at = self._at()
        self._looks += 1
        if self._looks % EVERY == 0 or (self.window.display.frozen and at != self._said_at):
            self._write()

    def _at(self) -> int:
        window = self.window
        placed = window.time_cursor.column if window.time_cursor.placed else None
        return window.display.end if placed is None else placed + 1

    def _write(self) -> None:
        if not self.on:
            return
        self._said_at = self._at()
        for key, panel in self.window.time_panels.items():
            if key in CAPTIONS and panel.isVisible():
                panel.set_caption(caption(key, self.window.feed, self._said_at))
