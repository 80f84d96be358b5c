"""``kwscope models``: the networks, what they cost and how well they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import JsonOption, emit, print_columns

if TYPE_CHECKING:
    from kwscore.models.config import CnnConfig, NetworkConfig


def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME|PATH", help="Only these, each with its stages of work.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the networks and what they cost.

    Parameters, work, memory, and of trained networks accuracy and hash. MACs are multiplications, counted from the
    shapes: per hop (10 ms) from samples to logits, and per clip (1 s). The convolutional baselines take whole clips
    only and have no work per hop. Memory is weights and state, as 32-bit floats and as 8-bit weights with 16-bit state.
    Accuracy is that of the weights' card on the validation mix, clean and as the mean of white, pink, factory and
    street noise at 0 dB, with the number of clips. The hash is the first 12 digits of the SHA-256 over the weights.
    """
    from kwscore.models.config import BASELINES, REGISTRY

    described = [describe(name) for name in names or [*REGISTRY, *BASELINES]]
    for entry in described:
        if as_json:
            emit(entry)
    if not as_json:
        _print_table(described, stages=bool(names))


def describe(name: str) -> dict[str, Any]:
    """Everything known of a network by name, or of a checkpoint by path, without importing torch.

    A registered network without trained weights has None for ``hash``, ``accuracy``, ``noise`` and ``clips``; a
    baseline None for what is per hop. Raises KWScopeError for an unknown name or a bad checkpoint.
    """
    from kwscore.models.checkpoint import SUFFIX, read_checkpoint, shipped_checkpoints
    from kwscore.models.config import ALIASES, BASELINES, baseline_config, network_config

    if ALIASES.get(name, name) in shipped_checkpoints() or name.endswith(SUFFIX) or len(Path(name).parts) > 1:
        config, _, card = read_checkpoint(name)
        return _entry(config, card)
    return _entry(baseline_config(name) if name in BASELINES else network_config(name), {})


def _entry(config: NetworkConfig | CnnConfig, card: dict[str, Any]) -> dict[str, Any]:
    from kwscore.models.config import ALIASES, CnnConfig
    from kwscore.models.cost import hop_stages, network_cost
    from kwscore.models.cost_cnn import baseline_cost, clip_stages

    if isinstance(config, CnnConfig):
        cost, stages = baseline_cost(config), clip_stages(config)
    else:
        cost, stages = network_cost(config), hop_stages(config)
    return {
        "name": config.name,
        "aliases": [alias for alias, name in ALIASES.items() if name == config.name],
        "schedule": config.schedule,
        "parameters": cost.parameters,
        "macs_per_hop": cost.macs_per_hop,
        "functions_per_hop": cost.functions_per_hop,
        "macs_per_clip": cost.macs_per_clip,
        "float_bytes": cost.float_bytes,
        "int8_bytes": cost.int8_bytes,
        **_figures(card),
        "hash": card.get("model_hash"),
        "stages": [{"name": stage.name, "macs": stage.macs, "functions": stage.functions} for stage in stages],
    }


def _figures(card: dict[str, Any]) -> dict[str, Any]:
    """Accuracy on the validation mix as the card has it: clean, mean of four noises at 0 dB, clips."""
    rows = card.get("validation")
    by_name = {row.get("condition"): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    clean = by_name.get("clean", {})
    found = [by_name.get(f"{noise} 0 dB", {}).get("accuracy") for noise in ("white", "pink", "factory", "street")]
    noisy = [float(value) for value in found if isinstance(value, int | float)]
    return {
        "accuracy": clean.get("accuracy"),
        "noise": round(sum(noisy) / len(noisy), 2) if len(noisy) == len(found) else None,
        "clips": clean.get("clips"),
    }


def _print_table(entries: list[dict[str, Any]], stages: bool) -> None:
    def number(value: Any, form: str) -> str:
        return "-" if value is None else format(value, form)

    heading = ("network", "schedule", "parameters", "MACs/hop", "MACs/clip", "float", "8-bit")
    rows = [(*heading, "accuracy", "0 dB", "clips", "hash")]
    for entry in entries:
        rows.append(
            (
                entry["name"],
                entry["schedule"],
                f"{entry['parameters']:,}",
                number(entry["macs_per_hop"], ","),
                f"{entry['macs_per_clip'] / 1e6:.2f} M",
                f"{entry['float_bytes'] / 1024:.1f} KiB",
                f"{entry['int8_bytes'] / 1024:.1f} KiB",
                number(entry["accuracy"], ".1f"),
                number(entry["noise"], ".1f"),
                number(entry["clips"], ","),
                entry["hash"] or "not trained",
            )
        )
    print_columns(rows, left=(0, 1, 10))
    for entry in entries if stages else []:
        total = sum(stage["macs"] for stage in entry["stages"])
        functions = sum(stage["functions"] for stage in entry["stages"])
        work = [(f"stage of a {'clip' if entry['macs_per_hop'] is None else 'hop'}", "MACs", "%", "functions")]
        for stage in [*entry["stages"], {"name": "all", "macs": total, "functions": functions}]:
            work.append(
                (stage["name"], f"{stage['macs']:,}", f"{100 * stage['macs'] / total:.1f}", f"{stage['functions']:,}")
            )
        also = f" (also called {', '.join(entry['aliases'])})" if entry["aliases"] else ""
        print(f"\n{entry['name']}{also}")
        print_columns(work, left=(0,))
