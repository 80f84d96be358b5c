"""Time per hop of the float engine beside torch doing the same, and memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import torch

from kwscore.constants import CLIP_SAMPLES, HOP, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.evaluation.torch_step import TorchStep
from kwscore.models.checkpoint import load_model, shipped_checkpoints
from kwscore.models.config import REGISTRY
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model
from kwscore.stream.engine import StreamEngine

HOP_US = 1e6 * HOP / SAMPLE_RATE
_WARM = 100  # hops before measuring
_WINDOW_EVERY = 25  # hops between two runs of the whole window
_RSS_CODE = """
import sys
import numpy as np
from kwscore.stream.engine import StreamEngine
engine = StreamEngine.load(sys.argv[1])
engine.process(np.zeros(16000, np.int16))
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        print(int(line.split()[1]) / 1024)
"""


def run_bench(name: str, hops: int = 2000) -> dict[str, Any]:
    """Measure the network ``name`` (ours, a checkpoint's path, or a registered name with random weights).

    Engine, torch step and torch window take turns within one run, on one thread, on the same samples, so that a busy
    machine slows all alike. Returns plain values:

    ``engine``        median_us, p99_us of one ``process`` call of 160 samples, telemetry included.
    ``torch_step``    median_us, p99_us of an eager torch step with state; None for networks it does not know.
    ``torch_window``  median_us, p99_us of the torch network over the last second.
    ``speedup_over_torch_step``, ``speedup_over_torch_window``  ratios of the medians.
    ``block_us_per_hop``   of the engine when it is given 10 s at once; ``real_time_factor`` that over 10 ms.
    ``live_real_time_factor``  median of one hop over 10 ms.
    ``largest_logit_difference``  between engine and torch step on the last hop of all, so that both did the same work.
    ``memory``        engine_state_bytes, engine_weight_bytes, engine_process_mib (peak resident memory of a process
                      that runs only the engine, Python included; None for random weights, and where
                      there is no /proc).
    """
    if hops < 1:
        raise KWScopeError(f"The bench needs at least 1 hop, not {hops}.")
    net, weights = _network(name)
    engine = StreamEngine(net)
    engine.warm_up()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = _measure(net, engine, hops)
    finally:
        torch.set_num_threads(threads)
    return {
        "network": net.config.name,
        "weights": weights,
        "parameters": net.parameter_count(),
        "model_hash": engine.model_hash,
        "hops": hops,
        **result,
        "memory": _memory(engine, name if weights != "random" else None),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}",
    }


def _network(name: str) -> tuple[NanoMamba, str]:
    if name in REGISTRY and name not in shipped_checkpoints():
        return create_model(name, schedule="stream").eval(), "random"
    return load_model(name).eval(), name


def _audio(samples: int) -> np.ndarray:
    """Noise whose level wanders, so that no branch is taken always."""
    rng = np.random.default_rng(0)
    level = 10 ** (rng.uniform(-3, -0.5, samples // 4000 + 2).repeat(4000)[:samples])
    return np.clip(rng.normal(0, 1, samples) * level * 32768, -32768, 32767).astype(np.int16)


def _measure(net: NanoMamba, engine: StreamEngine, hops: int) -> dict[str, Any]:
    pcm = _audio(WINDOW + (hops + _WARM) * HOP)
    wave = torch.from_numpy(pcm.astype(np.float32) / 32768)
    try:
        step: TorchStep | None = TorchStep(net)
    except KWScopeError:
        step = None
    engine_ns, step_ns, window_ns = [], [], []
    records = engine.process(pcm[:WINDOW])
    logits = None
    if step is not None:
        state = step.new_state()
        logits, state = step.step(wave[:WINDOW], state)
    for hop in range(hops + _WARM):
        part = slice(WINDOW + hop * HOP, WINDOW + (hop + 1) * HOP)
        begin = perf_counter_ns()
        records = engine.process(pcm[part])
        engine_ns.append(perf_counter_ns() - begin)
        if step is not None:
            begin = perf_counter_ns()
            logits, state = step.step(wave[part], state)
            step_ns.append(perf_counter_ns() - begin)
        if hop % _WINDOW_EVERY == 0 and part.stop >= CLIP_SAMPLES:
            begin = perf_counter_ns()
            with torch.inference_mode():
                net(wave[None, part.stop - CLIP_SAMPLES : part.stop])
            window_ns.append(perf_counter_ns() - begin)
    block = _audio(10 * SAMPLE_RATE)
    begin = perf_counter_ns()
    count = len(engine.process(block))
    block_us = (perf_counter_ns() - begin) / 1000 / count

    ours, eager, window = _figures(engine_ns[_WARM:]), _figures(step_ns[_WARM:]), _figures(window_ns)
    difference = None if logits is None else float(np.abs(records[-1].logits - logits.numpy()).max())
    return {
        "engine": ours,
        "torch_step": eager,
        "torch_window": window,
        "speedup_over_torch_step": eager and eager["median_us"] / ours["median_us"],
        "speedup_over_torch_window": window and window["median_us"] / ours["median_us"],
        "block_us_per_hop": block_us,
        "real_time_factor": block_us / HOP_US,
        "live_real_time_factor": ours["median_us"] / HOP_US,
        "largest_logit_difference": difference,
    }


def _figures(times_ns: list[int]) -> Any:
    if not times_ns:
        return None
    median, p99 = np.percentile(np.array(times_ns) / 1000, (50, 99))
    return {"median_us": float(median), "p99_us": float(p99)}


def _memory(engine: StreamEngine, name: str | None) -> dict[str, Any]:
    resident = None
    if name is not None:
        root = Path(__file__).resolve().parent.parent.parent
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-c", _RSS_CODE, name],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        if done.returncode == 0:
            resident = float(done.stdout)
    return {
        "engine_state_bytes": engine.state_bytes,
        "engine_weight_bytes": engine.weight_bytes,
        "engine_process_mib": resident,
    }
