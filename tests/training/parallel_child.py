"""One process of a team: trains a little and leaves its weights. Started by torchrun in test_parallel.py."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from kwscore.training.parallel import team
from kwscore.training.run import prepare
from kwscore.training.trainer import Trainer
from tests.training.test_trainer import RECIPE

corpus, cache, out = map(Path, sys.argv[1:])
torch.set_num_threads(1)
# not SOAP: eigenvectors of nearly equal eigenvalues turn rounding into large steps
recipe = replace(RECIPE, epochs=1, optimiser="adamw", lr=6e-3)
stores, _ = prepare(recipe, corpus, cache)
with team() as members:
    trainer = Trainer(recipe, stores, None, out / "run", team=members)
    trainer.resume()
    trainer.run()
    torch.save(trainer.net.state_dict(), out / f"weights{members.rank}.pt")
