"""What processes of a queue do in test_queue.py: importable by a spawned process, and quick."""

from __future__ import annotations

import json
import os
import signal
import time
from multiprocessing.connection import Connection
from types import SimpleNamespace

from kwscore.errors import KWScopeError
from kwscore.training.queue import Job, Options


def finish(connection: Connection, job: Job, options: Options, slot: int) -> None:
    """Leave a checkpoint and a card, as a run that has ended."""
    from dataclasses import asdict

    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / "starts").open("a").write("x")
    (job.out / "slot").write_text(str(slot))
    progress = SimpleNamespace(epoch=1, step=1, steps=2, loss=0.5, seconds_left=1.0)
    connection.send(("progress", progress))
    recipe = json.loads(json.dumps(asdict(job.recipe)))
    card = {"recipe": recipe, "validation": [{"condition": "clean", "accuracy": 91.5}]}
    job.checkpoint.write_bytes(b"weights")
    job.checkpoint.with_suffix(".json").write_text(json.dumps(card))
    connection.send(("done", card))


def by_seed(connection: Connection, job: Job, options: Options, slot: int) -> None:
    """Seed 1 finishes; 2 is killed the first time; 3 always; 4 cannot be trained; 5 crashes; 6 hangs."""
    seed = job.recipe.seed
    again = (job.out / "tried").exists()
    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / "tried").touch()
    if seed == 3 or (seed == 2 and not again):
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 4:
        raise KWScopeError("There is no room.")
    if seed == 5:
        raise ValueError("odd")
    if seed == 6:
        time.sleep(600)
    finish(connection, job, options, slot)
