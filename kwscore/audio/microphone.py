"""A microphone that survives its device: overflow, stall, loss and a sound server that hangs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.clockcheck import ClockCheck
from kwscore.audio.devices import DEADLINE, PORTAUDIO, InputDevice, PortAudio
from kwscore.audio.resample import Resampler
from kwscore.audio.ring import Ring
from kwscore.audio.source import SourceState, SourceStatus
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.errors import KWScopeError

STALL = 0.3
"""Seconds without a callback after which the device counts as stalled."""
RECYCLE = 5.0
"""Seconds without a callback after which the stream is closed and opened anew."""
FIRST_BLOCK = 2.0
"""Seconds that a freshly opened device may take before it delivers."""
RETRY = 1.0
"""Seconds between attempts to reopen a lost device."""
RING_SECONDS = 4.0
LATENCY = 0.03
"""Seconds of buffering asked of the device."""

_NOTHING = np.zeros(0, dtype=np.int16)
_BLOCK = HOP / SAMPLE_RATE
_POLL = 0.002
_WATCH = 0.05


class _Capture:
    """One open stream: what its callback writes and the reader takes."""

    def __init__(self, rate: int, channels: int, dtype: str, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.channels = channels
        self.dtype = dtype
        self.ring = Ring(round(RING_SECONDS * rate), dtype, channels)
        self.resampler = Resampler(rate, live=True)
        self.clock = clock
        self.stream: Any = None
        self.overflows = 0
        self.stamp = clock() + FIRST_BLOCK - STALL  # time of the newest callback
        self.newest: tuple[int, float] | None = None  # frames so far and time, of the newest callback
        self.check = ClockCheck(rate)
        self.finished = False  # the stream ended without being asked to

    def callback(self, indata: NDArray[np.generic], frames: int, times: object, status: Any) -> None:
        """Called by PortAudio's thread: copies, counts and stamps, nothing else."""
        self.ring.write(indata[:, 0] if self.channels == 1 else indata)
        if status and status.input_overflow:
            self.overflows += 1
        self.stamp = self.clock()
        self.newest = (self.ring.written + self.ring.dropped, self.stamp)

    def on_finished(self) -> None:
        """Called by PortAudio when the stream has ended, asked for or not."""
        self.finished = True

    @property
    def dropped(self) -> int:
        """Samples at 16 kHz that did not fit into the ring, or that the clock says are missing."""
        return round((self.ring.dropped + self.check.missing) * SAMPLE_RATE / self.rate)

    def silent_for(self) -> float:
        """Seconds since the newest callback."""
        return self.clock() - self.stamp

    def take(self) -> NDArray[np.int16]:
        return self.resampler.process(self.ring.read()) if len(self.ring) else _NOTHING


class _Run:
    """Everything between one ``start`` and ``stop``. Its worker thread alone calls into PortAudio and so may hang."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.tried = threading.Event()  # the first attempt to open is over
        self.first_error: KWScopeError | None = None
        self.lock = threading.Lock()  # guards the three below
        self.captures: deque[_Capture] = deque()  # oldest first; all but the last are only drained
        self.retired_dropped = 0
        self.retired_overflows = 0
        self.open: _Capture | None = None  # set by the worker
        self.trying_since: float | None = None
        self.device: InputDevice | None = None
        self.pending: list[NDArray[np.int16]] = []  # reader only
        self.pending_samples = 0
        self.position = 0


class Microphone:
    """An input device as a ``Source``.

    ``device``: None for the system's default, or "host API: name" as ``list_devices`` shows (a part that fits is
    enough). Mono at 16 kHz is asked for; a device that cannot gives its own rate and channels, which are mixed down and
    resampled. A lost device is reopened by itself, once a second, by host API and name. ``audio``, ``clock`` and
    ``sleep`` are injected by tests.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        audio: PortAudio = PORTAUDIO,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._device = device
        self._audio = audio
        self._clock = clock
        self._sleep = sleep
        self._run: _Run | None = None
        self._stopping = threading.Lock()

    @property
    def name(self) -> str:
        return self._device or "Default microphone"

    @property
    def live(self) -> bool:
        return True

    @property
    def device(self) -> InputDevice | None:
        """The device that was opened last since start."""
        return self._run.device if self._run else None

    def start(self) -> None:
        """Open the device. Raises KWScopeError with one sentence, within 4 s, when it cannot be opened."""
        if self._run:
            return
        run = _Run()
        threading.Thread(target=self._work, args=(run,), name="kwscope-microphone", daemon=True).start()
        if not run.tried.wait(DEADLINE):
            run.stop.set()  # whatever the worker opens yet, it closes again
            raise KWScopeError(
                f"{self.name} did not open within {DEADLINE:.0f} s: restart the sound server, choose another device, "
                "or use a file or the demo."
            )
        if run.first_error:
            raise run.first_error
        self._run = run
        self._audio.stops.add(run.stop.set)

    def wait_delivering(self, timeout: float) -> bool:
        """Whether the open stream has delivered, after waiting at most ``timeout`` seconds for its first block."""
        deadline = self._clock() + timeout
        while run := self._run:
            capture = run.open
            if capture and capture.newest:
                return True
            if self._clock() >= deadline:
                break
            self._sleep(_POLL)
        return False

    def read(self, timeout: float = 0.0) -> NDArray[np.int16]:
        """See ``Source.read``."""
        run = self._run
        if run is None:
            return _NOTHING
        deadline = self._clock() + max(timeout, 0.0)
        while True:
            self._collect(run)
            if run.pending_samples >= HOP:
                samples = np.concatenate(run.pending)
                run.pending, run.pending_samples = [], 0
                run.position += len(samples)
                return samples
            now = self._clock()
            if now >= deadline or run.stop.is_set():
                return _NOTHING
            capture = run.open
            expected = capture.stamp + _BLOCK - now if capture else _BLOCK  # until the next block should be here
            self._sleep(min(max(expected, _POLL), _BLOCK, deadline - now))

    @staticmethod
    def _collect(run: _Run) -> None:
        """Take what the callbacks have left, oldest stream first."""
        while True:
            with run.lock:
                capture = run.captures[0] if run.captures else None
                superseded = len(run.captures) > 1
            if capture is None:
                return
            part = capture.take()
            if superseded and len(part) == 0:
                part = capture.resampler.flush()
                with run.lock:
                    run.captures.popleft()
                    run.retired_dropped += capture.dropped
                    run.retired_overflows += capture.overflows
            elif len(part) == 0:
                return
            if len(part):
                run.pending.append(part)
                run.pending_samples += len(part)

    def stop(self) -> None:
        """Close; returns within about 1 s even if the sound server hangs (the stream is then closed when it wakes)."""
        with self._stopping:  # a second caller must not find the device still open when it returns
            run, self._run = self._run, None
            if run is None:
                return
            run.stop.set()
            self._audio.stops.discard(run.stop.set)
            closed = threading.Thread(target=self._close, args=(run,), name="kwscope-close", daemon=True)
            closed.start()
            closed.join(1.0)

    def status(self) -> SourceStatus:
        run = self._run
        if run is None:
            return SourceStatus(state=SourceState.IDLE)
        state, message = self._state(run)
        with run.lock:
            dropped = run.retired_dropped + sum(capture.dropped for capture in run.captures)
            overflows = run.retired_overflows + sum(capture.overflows for capture in run.captures)
            rate = run.captures[-1].rate if run.captures else SAMPLE_RATE
        return SourceStatus(state, message, rate, dropped, overflows, run.position)

    def _state(self, run: _Run) -> tuple[SourceState, str]:
        capture = run.open
        if capture is None or capture.finished:
            since = run.trying_since
            if since is not None and self._clock() - since > DEADLINE:
                return SourceState.LOST, f"{self.name} does not open: the sound server hangs; restart it."
            return SourceState.LOST, f"{self.name} went away: connect it again; it is tried every second."
        if capture.silent_for() > STALL:
            return SourceState.STALLED, f"{self.name} delivers no sound at the moment: check the sound server."
        if capture.resampler.cancels:
            return SourceState.RUNNING, f"The channels of {self.name} cancel each other: only the first is used."
        return SourceState.RUNNING, ""

    # What follows runs in the worker thread, except that ``stop`` may close as well.

    def _work(self, run: _Run) -> None:
        while not run.stop.is_set():
            capture = run.open
            if capture is None:
                self._try_open(run)
                run.tried.set()
                if run.first_error:
                    return
                if run.open is None:
                    run.stop.wait(RETRY)
            elif capture.finished or capture.silent_for() > RECYCLE:
                self._close(run)
            else:
                if capture.newest:
                    capture.check.observe(*capture.newest)
                run.stop.wait(_WATCH)
        self._close(run)

    def _try_open(self, run: _Run) -> None:
        run.trying_since = self._clock()
        try:
            with self._audio.lock:
                if run.stop.is_set():
                    return
                run.device = self._find(again=run.tried.is_set())
                capture = self._open(run.device)
                with run.lock:
                    run.captures.append(capture)
                run.open = capture
        except Exception as error:  # the worker must not die silently, whatever a driver does
            if not run.tried.is_set():  # else it is simply tried again
                run.first_error = (
                    error
                    if isinstance(error, KWScopeError)
                    else KWScopeError(f"{self.name} cannot be opened ({error}): choose another device.")
                )
        finally:
            run.trying_since = None

    def _find(self, *, again: bool) -> InputDevice:
        """The device wanted, looked for anew if it was lost or is not in the list."""
        if again:
            self._audio.reenumerate()
        try:
            return self._audio.find(self._device)
        except KWScopeError:
            if again or not self._audio.reenumerate():
                raise
            return self._audio.find(self._device)

    def _open(self, device: InputDevice) -> _Capture:
        """The first format that the device takes: 16 kHz mono, else its own rate with as few channels as it allows."""
        backend = self._audio.backend
        own = [(device.rate, channels, "float32") for channels in (1, min(2, device.channels), device.channels)]
        refusal: Exception | None = None
        for rate, channels, dtype in dict.fromkeys([(SAMPLE_RATE, 1, "int16"), *own]):
            stream = None
            try:
                capture = _Capture(rate, channels, dtype, self._clock)
                stream = backend.InputStream(
                    device=device.index,
                    samplerate=rate,
                    channels=channels,
                    dtype=dtype,
                    blocksize=rate // 100,
                    latency=LATENCY,
                    callback=capture.callback,
                    finished_callback=capture.on_finished,
                )
                stream.start()
            except (backend.PortAudioError, KWScopeError, ValueError) as error:
                refusal = error
                if stream is not None:
                    with contextlib.suppress(backend.PortAudioError):
                        stream.close()
                continue
            capture.stream = stream
            self._audio.streams += 1
            return capture
        reason = str(refusal.args[0]) if refusal and refusal.args else "no format fits"
        raise KWScopeError(
            f"{device.id} cannot be opened ({reason}): close other programs that use it, or choose another device."
        ) from refusal

    def _close(self, run: _Run) -> None:
        """Close the run's stream, once; hangs as long as the sound server does."""
        with self._audio.lock:
            capture, stream = run.open, None
            if capture:
                stream, capture.stream = capture.stream, None
            if stream is None:
                return
            with contextlib.suppress(Exception):  # a device that is gone cannot be closed in order
                stream.abort()
            with contextlib.suppress(Exception):
                stream.close()
            self._audio.streams -= 1
            run.open = None
