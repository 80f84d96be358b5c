"""Input devices by host API and name, and the one guarded way into PortAudio.

PortAudio is not thread-safe, its indices change whenever it re-enumerates, and with a frozen sound server any call may
hang. So every call is made under one lock, devices are named and never numbered, and callers wait for worker threads
with a deadline.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kwscore.errors import KWScopeError

DEADLINE = 4.0
"""Seconds that a caller waits for the sound system."""

_T = TypeVar("_T")
_SILENT = f"The sound system did not answer within {DEADLINE:.0f} s: restart its server, or use a file or the demo."


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that can record. ``id`` is what settings keep and ``Microphone`` takes."""

    host_api: str
    name: str
    channels: int
    rate: int  # Hz, its own default
    default: bool  # the system's default input
    index: int = field(compare=False, repr=False)  # valid only until the next enumeration

    @property
    def id(self) -> str:
        return f"{self.host_api}: {self.name}"


def with_deadline(call: Callable[[], _T], seconds: float = DEADLINE) -> _T:
    """``call`` in a daemon thread; raise KWScopeError if it takes longer (it is then left to finish by itself)."""
    result: list[_T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(call())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="kwscope-portaudio", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not result:
        raise KWScopeError(_SILENT)
    return result[0]


class PortAudio:
    """A sounddevice-like module with a lock and a count of open streams. ``backend`` is injected by tests."""

    def __init__(self, backend: Any = None) -> None:
        self._backend = backend
        self.lock = threading.RLock()
        """Held around every call into the backend."""
        self.streams = 0
        """Open streams; changed only under the lock."""
        self.stops: set[Callable[[], None]] = set()
        """Calls that make the owners of streams close them soon, in their own threads."""

    @property
    def backend(self) -> Any:
        """The module, imported at first use. Raises KWScopeError where PortAudio is missing."""
        with self.lock:
            if self._backend is None:
                self._backend = _import_sounddevice()
                atexit.unregister(self._backend._exit_handler)
                atexit.register(self._at_exit)
            return self._backend

    def _at_exit(self) -> None:
        """Close what is open, then sounddevice's own exit handler, unless that would hang: the process ends without it.

        A stream that is still open would call into an interpreter that is being taken down, which crashes.
        """
        for stop in list(self.stops):
            stop()
        deadline = time.monotonic() + 1.0
        while self.streams and time.monotonic() < deadline:
            time.sleep(0.01)
        if not self.lock.acquire(timeout=0.5):
            return
        try:
            if self.streams == 0:
                self._backend._exit_handler()
        finally:
            self.lock.release()

    def devices(self) -> list[InputDevice]:
        """Every input device as enumerated last, the default first. May hang with a frozen server."""
        with self.lock:
            backend = self.backend
            try:
                apis = [str(api["name"]) for api in backend.query_hostapis()]
                listed = list(backend.query_devices())
                default = self._default_index()
            except backend.PortAudioError as error:
                raise KWScopeError(f"The sound system cannot list devices ({_reason(error)}): restart it.") from error
        names: dict[tuple[str, str], int] = {}
        found = []
        for index, entry in enumerate(listed):
            if entry["max_input_channels"] < 1:
                continue
            api, name = apis[entry["hostapi"]], str(entry["name"])
            twin = names[api, name] = names.get((api, name), 0) + 1
            found.append(
                InputDevice(
                    host_api=api,
                    name=name if twin == 1 else f"{name} #{twin}",
                    channels=int(entry["max_input_channels"]),
                    rate=round(entry["default_samplerate"]),
                    default=index == default,
                    index=index,
                )
            )
        return sorted(found, key=lambda device: not device.default)

    def _default_index(self) -> int:
        try:
            return int(self.backend.query_devices(kind="input")["index"])
        except (self.backend.PortAudioError, ValueError, KeyError):
            return -1

    def find(self, wanted: str | None) -> InputDevice:
        """The default device, or the one that ``wanted`` names. Raises KWScopeError with the choices."""
        devices = self.devices()
        if not devices:
            raise KWScopeError("No microphone was found: connect one and search again, or use a file or the demo.")
        if wanted is None:
            return devices[0]
        for same in (
            lambda d: d.id == wanted,
            lambda d: _stable(d.id) == _stable(wanted),  # ALSA card numbers change when the order of plugging does
            lambda d: d.name == wanted,
            lambda d: wanted.lower() in d.id.lower(),
        ):
            matches = [device for device in devices if same(device)]
            if matches:
                return matches[0]
        choices = "; ".join(device.id for device in devices)
        raise KWScopeError(f"There is no input device '{wanted}': connect it, or choose one of: {choices}.")

    def reenumerate(self) -> bool:
        """Look for devices again; only possible, and True, while no stream is open."""
        with self.lock:
            backend = self.backend
            if self.streams:
                return False
            with contextlib.suppress(backend.PortAudioError):
                backend._terminate()
            try:
                backend._initialize()
            except backend.PortAudioError as error:
                raise KWScopeError(f"The sound system cannot be started ({_reason(error)}): restart it.") from error
            return True


PORTAUDIO = PortAudio()
"""The process's PortAudio."""


def list_devices(audio: PortAudio = PORTAUDIO) -> list[InputDevice]:
    """Input devices as enumerated last, the default first. Raises KWScopeError, within 4 s whatever the system does."""
    return with_deadline(audio.devices)


def rescan(audio: PortAudio = PORTAUDIO) -> list[InputDevice]:
    """Look for devices again and list them. Every microphone must be stopped. Raises KWScopeError, within 4 s."""

    def work() -> list[InputDevice]:
        if not audio.reenumerate():
            raise KWScopeError("New devices cannot be searched for while a microphone is open: stop it first.")
        return audio.devices()

    return with_deadline(work)


def _stable(device_id: str) -> str:
    return re.sub(r" \(hw:\d+,\d+\)", "", device_id)


def _reason(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.rstrip(". ")


def _import_sounddevice() -> Any:
    _quieten_alsa()
    try:
        import sounddevice
    except OSError as error:
        raise KWScopeError(
            "The PortAudio library is missing: install it (Debian and Ubuntu: apt install libportaudio2), "
            "or use a file or the demo."
        ) from error
    except ImportError as error:
        raise KWScopeError("The package sounddevice is missing: install it (pip install sounddevice).") from error
    except Exception as error:  # PortAudioError while starting PortAudio
        raise KWScopeError(f"The sound system cannot be started ({_reason(error)}): restart it.") from error
    return sounddevice


def _quieten_alsa() -> None:
    """Stop libasound from writing to stderr about every plugin it tries: failures reach us as return values.

    The handler is a C function that ignores its arguments, not Python, so that any thread may call it at any time.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        asound = ctypes.CDLL("libasound.so.2")
        asound.snd_lib_error_set_handler(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p))
