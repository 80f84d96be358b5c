"""The real window on the default microphone, as a process: PortAudio must start inside the test's sound server.

Prints one JSON object a line for what happens; lines on stdin are commands: ``picture PATH``, ``quit``.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from pathlib import Path

from PySide6.QtCore import QTimer

from app import settings as store
from app.controller import Controller
from app.main import application
from app.sources import MICROPHONE
from app.window import MainWindow


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def main() -> int:
    app = application("light")
    window = MainWindow(Controller(MICROPHONE), store.Settings(theme="light"), keep=False)
    window.resize(1600, 1000)
    window.show()
    window.heard.connect(lambda word: say(word=word.word, seconds=word.seconds))
    commands: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            commands.put(line.strip())

    threading.Thread(target=listen, daemon=True).start()
    last: dict[str, object] = {"banner": "", "state": "", "columns": 0}

    def look() -> None:
        facts: dict[str, object] = {"banner": window.banner.text(), "state": window.controller.health().source}
        facts["columns"] = window.feed.end // 50 * 50
        for name, value in facts.items():
            if value != last[name]:
                last[name] = value
                say(**{name: value})
        while not commands.empty():
            command, _, rest = commands.get().partition(" ")
            if command == "picture":
                say(picture=window.save_picture(Path(rest)))
            elif command == "quit":
                asked = time.monotonic()
                window.close()
                last["seconds"] = time.monotonic() - asked

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    QTimer.singleShot(0, window.controller.start)
    app.exec()
    say(closed=last["seconds"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
