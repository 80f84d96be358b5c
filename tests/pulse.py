"""A private PulseAudio daemon with a silent sink whose monitor is the default input: real capture without hardware.

    with PulseServer() as pulse:
        pulse.play(samples)              # into the sink; returns when played
        pulse.freeze(); pulse.thaw()     # SIGSTOP, SIGCONT
        pulse.kill(); pulse.restart()
        subprocess.run([...], env=pulse.env)

Processes that capture must have ``pulse.env`` as their environment before PortAudio starts: run them as children.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from ctypes.util import find_library
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DEVICE = "ALSA: pulse"
"""How ``Microphone`` names the input; it is the default input of ``pulse.env`` as well."""


def missing() -> str:
    """Why capture cannot be tested here, or an empty string."""
    absent = [program for program in ("pulseaudio", "pactl", "paplay") if shutil.which(program) is None]
    if find_library("portaudio") is None:
        absent.append("libportaudio2")
    return f"not installed: {', '.join(absent)}" if absent else ""


class PulseServer:
    """A PulseAudio server of this test alone: its own socket, state and configuration under a temporary folder."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kwscope-pulse-"))
        self._socket = self._folder / "native"
        self._process: subprocess.Popen[bytes] | None = None
        (self._folder / ".asoundrc").write_text(
            "pcm.!pulse { type pulse hint { show on description PulseAudio } }\n"
            "ctl.!pulse { type pulse }\n"
            "pcm.!default { type pulse hint { show on description Default } }\n"
            "ctl.!default { type pulse }\n"
        )
        self.env = {
            **os.environ,
            "HOME": str(self._folder),
            "XDG_RUNTIME_DIR": str(self._folder),
            "PULSE_RUNTIME_PATH": str(self._folder),
            "PULSE_STATE_PATH": str(self._folder),
            "PULSE_SERVER": f"unix:{self._socket}",
        }
        self.env.pop("DBUS_SESSION_BUS_ADDRESS", None)

    def __enter__(self) -> PulseServer:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def restart(self) -> None:
        """Start the daemon anew and wait until it answers."""
        self.kill()
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--disallow-exit",
                "--use-pid-file=no",
                "--log-target=stderr",
                "--log-level=error",
                f"--load=module-native-protocol-unix socket={self._socket} auth-anonymous=1",
                "--load=module-null-sink sink_name=kwscope rate=16000 channels=1 norewinds=1",
            ],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while self._pactl("info").returncode != 0:
            if time.monotonic() > deadline or not self.running:
                raise RuntimeError("the private PulseAudio daemon did not start")
            time.sleep(0.05)
        self._pactl("set-default-source", "kwscope.monitor").check_returncode()

    def _pactl(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["pactl", *arguments], env=self.env, capture_output=True, timeout=10)

    def kill(self) -> None:
        """End the daemon as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop the daemon's process: clients hang until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def play(self, samples: NDArray[np.int16], *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Play (n,) int16 at 16 kHz into the sink; with ``wait`` return when it has been played."""
        path = self._folder / f"play-{time.monotonic_ns()}.raw"
        path.write_bytes(samples.astype("<i2").tobytes())
        command = ["paplay", "--raw", "--rate=16000", "--channels=1", "--format=s16le", str(path)]
        player = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if wait:
            player.wait(timeout=30 + len(samples) / 16_000)
            assert player.returncode == 0, "paplay failed"
        return player
