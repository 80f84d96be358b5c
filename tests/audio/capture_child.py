"""A process that captures on command: reads one word a line from stdin, answers one JSON object a line on stdout.

``start``, ``status``, ``devices``, ``rescan``, ``save PATH`` (all that was read), ``stop``, ``quit``. PortAudio may
hang in here without hanging the test.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import numpy as np

from kwscore.audio.devices import list_devices, rescan
from kwscore.audio.microphone import Microphone
from kwscore.errors import KWScopeError

microphone = Microphone(sys.argv[1] if len(sys.argv) > 1 else None)
heard: list[np.ndarray] = []


def pull() -> None:
    while True:
        samples = microphone.read(0.1)
        if len(samples):
            heard.append(samples)
        else:
            time.sleep(0.005)


def answer(command: str, argument: str) -> dict[str, object]:
    began = time.monotonic()
    try:
        if command == "start":
            microphone.start()
        elif command == "stop":
            microphone.stop()
        elif command == "devices":
            return {"devices": [device.id for device in list_devices()]}
        elif command == "rescan":
            return {"devices": [device.id for device in rescan()]}
        elif command == "save":
            np.save(argument, np.concatenate([*heard, np.zeros(0, np.int16)]))
    except KWScopeError as error:
        return {"error": str(error), "seconds": time.monotonic() - began}
    status = microphone.status()
    return {
        "seconds": time.monotonic() - began,
        "state": status.state.value,
        "message": status.message,
        "dropped": status.dropped,
        "overflows": status.overflows,
        "position": status.position,
        "rate": status.native_rate,
    }


if __name__ == "__main__":
    threading.Thread(target=pull, daemon=True).start()
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "quit":
            break
        print(json.dumps(answer(command, argument)), flush=True)
