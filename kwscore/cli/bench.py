"""``kwscope bench``: time per hop, beside torch doing the same."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kwscore.cli.common import JsonOption, ModelOption, emit, note, print_columns
from kwscore.models.config import DEFAULT_NETWORK


def bench(
    model: ModelOption = DEFAULT_NETWORK,
    hops: Annotated[int, typer.Option(min=100, help="Hops (10 ms each) to measure.")] = 2000,
    as_json: JsonOption = False,
) -> None:
    """Measure the streaming engine beside torch.

    Microseconds per hop, real-time factor, memory. Beside it, in the same run and on the same samples: torch taking the
    same steps eagerly, and torch re-running the whole last second at every hop. All on one thread. Medians matter; the
    99th percentile shows the machine too.
    """
    note(f"Measuring {hops} hops ...")
    from kwscore.evaluation.bench import run_bench

    result = run_bench(model, hops)
    if as_json:
        emit(_rounded(result))
    else:
        _print(result)


def _print(result: dict[str, Any]) -> None:
    weights = "random weights" if result["weights"] == "random" else result["model_hash"]
    print(f"{result['network']} ({weights}), {result['parameters']:,} parameters, {result['hops']} hops")
    print(f"{result['machine']}\n")
    rows = [("per hop of 10 ms", "median", "99 %", "slower than the engine")]
    for title, key, ratio in (
        ("streaming engine", "engine", ""),
        ("torch, same step", "torch_step", "speedup_over_torch_step"),
        ("torch, last second again", "torch_window", "speedup_over_torch_window"),
    ):
        figures = result[key]
        if figures is None:
            rows.append((title, "-", "-", "-"))
        else:
            times = f"{result[ratio]:.0f} x" if ratio else ""
            rows.append((title, f"{figures['median_us']:.1f} us", f"{figures['p99_us']:.1f} us", times))
    print_columns(rows, left=(0,))
    memory = result["memory"]
    state, weights_size = (memory[key] / 1024 for key in ("engine_state_bytes", "engine_weight_bytes"))
    at_once = f"{result['block_us_per_hop']:.1f} us per hop, {1 / result['real_time_factor']:.0f} x real time"
    facts = [
        ("hop by hop", f"{100 * result['live_real_time_factor']:.2f} % of real time"),
        ("10 s at once", at_once),
        ("engine", f"{state:.1f} KiB state, {weights_size:.1f} KiB weights"),
    ]
    if memory["engine_process_mib"] is not None:
        facts.append(("process", f"{memory['engine_process_mib']:.0f} MiB resident, Python and numba included"))
    if result["largest_logit_difference"] is not None:
        facts.append(("same results", f"logits differ from torch by at most {result['largest_logit_difference']:.1e}"))
    print()
    print_columns(facts, left=(0, 1))


def _rounded(value: Any) -> Any:
    """Times with the digits they have."""
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value
