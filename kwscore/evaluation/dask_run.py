"""A runner on a Dask cluster: the clips travel to it once, each unit brings its weights, the numbers are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kwscore
from kwscore.errors import KWScopeError
from kwscore.evaluation.grid import Runner, Unit, code_key, measure
from kwscore.evaluation.local_run import slim
from kwscore.evaluation.sets import EvaluationSet

TIMEOUT = 20
"""Seconds that the scheduler has to answer."""


def dask_runner(address: str, threads: int = 1) -> Runner:
    """Computes on the cluster whose scheduler is at ``address`` ("tcp://HOST:8786" or "HOST:8786").

    Raises KWScopeError where Dask is not installed, the scheduler does not answer, it has no workers, or these run
    another version of KWScope.
    """
    try:
        from distributed import Client
    except ImportError:
        raise KWScopeError("--dask needs Dask: install it with pip install 'kwscope[dask]'.") from None

    def run(units: Sequence[Unit], data: EvaluationSet) -> Iterator[tuple[Unit, NDArray[np.int64]]]:
        try:
            client = Client(address, timeout=TIMEOUT, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise KWScopeError(f"No Dask scheduler answers at {address}: {error}.") from None
        with client:
            yield from _run(client, address, units, data, threads)

    return run


def _run(
    client: Any, address: str, units: Sequence[Unit], data: EvaluationSet, threads: int
) -> Iterator[tuple[Unit, NDArray[np.int64]]]:
    from distributed import as_completed

    _check_workers(client, address)
    shared = client.scatter(slim(data), broadcast=True, hash=False)
    futures = {client.submit(_measure, unit, shared, threads, pure=False, retries=2): unit for unit in units}
    for future in as_completed(futures, loop=client.loop):
        unit = futures[future]
        try:
            yield unit, future.result()
        except KWScopeError:
            raise
        except Exception as error:
            raise KWScopeError(
                f"The Dask cluster could not compute {unit.condition.name!r} of {unit.network.name}: {error!r}; "
                "what is finished is kept."
            ) from None


def _check_workers(client: Any, address: str) -> None:
    if not client.scheduler_info(n_workers=-1)["workers"]:
        raise KWScopeError(f"The Dask cluster at {address} has no workers: start some with 'dask worker {address}'.")
    try:
        versions = client.run(_version)
    except Exception as error:
        raise KWScopeError(
            f"The workers of the Dask cluster at {address} cannot run KWScope ({error}): install it there."
        ) from None
    other = sorted({found for found in versions.values() if found != _version()})
    if other:
        raise KWScopeError(f"Workers at {address} run other code (KWScope {other[0]}, here {_version()}): update them.")


def _version() -> str:
    return f"{kwscore.__version__} {code_key()}"


def _measure(unit: Unit, data: EvaluationSet, threads: int) -> NDArray[np.int64]:
    import torch

    torch.set_num_threads(threads)
    return measure(unit, data)
