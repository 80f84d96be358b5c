"""The engines that a plan names, opened for one network and closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kwscore.board.client import Timing
from kwscore.errors import KWScopeError
from kwscore.experiment.plan import BOARD, Plan, is_path
from kwscore.models.config import NetworkConfig
from kwscore.stream.telemetry import Engine

Say = Callable[[str], None]
_PATIENT = Timing(answer=5.0, silence=10.0, hop=60.0)
"""A virtual board shares this machine, which others may hold up for seconds: nothing is ever lost on its line."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a plan. ``spec``: what opens it from anywhere; ``name``: as tables show it; ``only_float``: why
    neither the integer engine nor a board can run it, empty where they can."""

    spec: str
    name: str
    model_hash: str
    schedule: str
    only_float: str = ""

    def fits(self, engine: str) -> bool:
        """Whether ``engine`` can run it."""
        return engine == "float" or not self.only_float


def find_networks(plan: Plan, say: Say = lambda _: None) -> list[Network]:
    """The plan's networks with the hashes of their weights. ``say`` is told which engines will be left out for some.

    Raises KWScopeError for one that is missing or damaged, or where an engine can run none of them.
    """
    found = [_find(plan, spec) for spec in plan.networks]
    for network in found:
        if any(other.name == network.name for other in found if other is not network):
            raise KWScopeError(
                f"'networks' has {network.name} twice, which tables could not tell apart: rename one file."
            )
    for engine in plan.engines:
        unfit = [network for network in found if not network.fits(engine)]
        if len(unfit) == len(found):
            raise KWScopeError(f"The engine {engine} can run none of the networks: {unfit[0].only_float}")
        if unfit:
            say(f"Left out on the engine {engine}: {', '.join(network.name for network in unfit)}.")
    return found


def _find(plan: Plan, spec: str) -> Network:
    from kwscore.models.checkpoint import load_arrays, model_hash, shipped_checkpoints

    name, _, file = spec.partition("=")
    if file:
        from kwscore.models.published import load_published

        where = str(plan.path(file))
        arrays = {k: v.detach().cpu().numpy() for k, v in load_published(where, name).state_dict().items()}
        why = f"{name} is in the clip schedule; integer engine and boards run stream networks."
        return Network(f"{name}={where}", f"{name} (published)", model_hash(arrays), "clip", why)
    own = is_path(spec) and spec not in shipped_checkpoints()
    where = str(plan.path(spec)) if own else spec
    config, arrays, _ = load_arrays(where)
    why = "" if set(plan.engines) == {"float"} else _unfit(config)
    return Network(where, Path(where).stem if own else spec, model_hash(arrays), config.schedule, why)


def _unfit(config: NetworkConfig) -> str:
    from kwscore.fixed.quantise import sizes_of

    try:
        sizes_of(config)
    except KWScopeError as error:
        return str(error)
    return ""


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
