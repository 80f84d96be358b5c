"""The engines that a plan names, opened for one network and closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kwscore.board.client import Timing
from kwscore.errors import KWScopeError
from kwscore.experiment.plan import BOARD, Plan, is_path
from kwscore.stream.telemetry import Engine

Say = Callable[[str], None]
_PATIENT = Timing(answer=5.0, silence=10.0, hop=60.0)
"""A virtual board shares this machine, which others may hold up for seconds: nothing is ever lost on its line."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a plan. ``spec``: what opens it from anywhere; ``name``: as tables show it."""

    spec: str
    name: str
    model_hash: str
    schedule: str


def find_networks(plan: Plan) -> list[Network]:
    """The plan's networks with the hashes of their weights, each checked against the plan's engines.

    Raises KWScopeError for one that is missing or damaged, or that an engine cannot run.
    """
    found = [_find(plan, spec) for spec in plan.networks]
    for network in found:
        others = [n.spec for n in found if n.name == network.name and n.spec != network.spec]
        if others:
            raise KWScopeError(
                f"'networks' has {network.name} twice, which tables could not tell apart: rename a file."
            )
        wrong = [engine for engine in plan.engines if engine != "float" and network.schedule != "stream"]
        if wrong:
            raise KWScopeError(
                f"{network.name} was made for clips, which {wrong[0]} cannot run: give it the engine float alone."
            )
    return found


def _find(plan: Plan, spec: str) -> Network:
    from kwscore.models.checkpoint import load_arrays, model_hash, shipped_checkpoints

    name, _, file = spec.partition("=")
    if file:
        from kwscore.models.published import load_published

        where = str(plan.path(file))
        arrays = {k: v.detach().cpu().numpy() for k, v in load_published(where, name).state_dict().items()}
        return Network(f"{name}={where}", f"{name} (published)", model_hash(arrays), "clip")
    where = spec if spec in shipped_checkpoints() or not is_path(spec) else str(plan.path(spec))
    config, arrays, _ = load_arrays(where)
    return Network(where, spec if where == spec else Path(where).stem, model_hash(arrays), config.schedule)


@contextmanager
def open_engine(network: Network, engine: str, say: Say = lambda _: None) -> Iterator[Engine]:
    """The engine ``engine`` (see ``Plan.engines``) with ``network``, compiled, from reset.

    A board gets the network's weights where it has others; nothing stands in for it when it is lost. Raises
    KWScopeError where the engine cannot run the network or the board cannot be reached.
    """
    if engine == "float":
        yield _float_engine(network, say)
        return
    if engine == "integer":
        from kwscore.fixed.engine import FixedEngine

        integer = FixedEngine.load(network.spec)
        integer.warm_up(say)
        yield integer
        return
    from kwscore.board.opening import VIRTUAL, open_board

    name = engine.removeprefix(BOARD)
    with open_board(name, network.spec, timing=_PATIENT if name in VIRTUAL else None, progress=say) as board:
        yield board


def _float_engine(network: Network, say: Say) -> Engine:
    name, _, file = network.spec.partition("=")
    if file:
        from kwscore.models.published import load_published
        from kwscore.stream.window import WindowEngine

        return WindowEngine(load_published(file, name))
    from kwscore.stream.choose import load_engine
    from kwscore.stream.engine import StreamEngine

    engine = load_engine(network.spec)
    if isinstance(engine, StreamEngine):
        engine.warm_up(say)
    return engine
