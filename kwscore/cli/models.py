"""``kwscope models``: the networks, what they cost and how well they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import JsonOption, emit, print_columns

if TYPE_CHECKING:
    from kwscore.models.config import NetworkConfig


def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME|PATH", help="Only these, each with its stages of work.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the networks and what they cost.

    Parameters, work, memory, and of trained networks accuracy and hash. MACs are multiplications, counted from the
    shapes: per hop (10 ms) from samples to logits, and per clip (1 s). Memory is weights and state, as 32-bit floats
    and as 8-bit weights with 16-bit state. Accuracy is that of the weights' card on the validation mix, clean. The hash
    is the first 12 digits of the SHA-256 over the weights.
    """
    if names:
        described = [describe(name) for name in names]
    else:
        from kwscore.models.config import REGISTRY

        described = [describe(name) for name in REGISTRY]
    for entry in described:
        if as_json:
            emit(entry)
    if not as_json:
        _print_table(described, stages=bool(names))


def describe(name: str) -> dict[str, Any]:
    """Everything known of a network by name, or of a checkpoint by path, without importing torch.

    A registered network without trained weights has None for ``hash`` and ``accuracy``. Raises KWScopeError for an
    unknown name or a bad checkpoint.
    """
    from kwscore.models.checkpoint import SUFFIX, load_arrays, shipped_checkpoints
    from kwscore.models.config import network_config

    if name in shipped_checkpoints() or name.endswith(SUFFIX) or len(Path(name).parts) > 1:
        config, _, card = load_arrays(name)
        return _entry(config, card)
    return _entry(network_config(name), {})


def _entry(config: NetworkConfig, card: dict[str, Any]) -> dict[str, Any]:
    from kwscore.models.cost import hop_stages, network_cost

    cost = network_cost(config)
    clean = [row for row in card.get("validation", []) if row.get("condition") == "clean"]
    return {
        "name": config.name,
        "schedule": config.schedule,
        "parameters": cost.parameters,
        "macs_per_hop": cost.macs_per_hop,
        "functions_per_hop": cost.functions_per_hop,
        "macs_per_clip": cost.macs_per_clip,
        "float_bytes": cost.float_bytes,
        "int8_bytes": cost.int8_bytes,
        "accuracy": clean[0].get("accuracy") if clean else None,
        "hash": card.get("model_hash"),
        "stages": [
            {"name": stage.name, "macs": stage.macs, "functions": stage.functions} for stage in hop_stages(config)
        ],
    }


def _print_table(entries: list[dict[str, Any]], stages: bool) -> None:
    rows = [("network", "schedule", "parameters", "MACs/hop", "MACs/clip", "float", "8-bit", "accuracy", "hash")]
    for entry in entries:
        rows.append(
            (
                entry["name"],
                entry["schedule"],
                f"{entry['parameters']:,}",
                f"{entry['macs_per_hop']:,}",
                f"{entry['macs_per_clip'] / 1e6:.2f} M",
                f"{entry['float_bytes'] / 1024:.1f} KiB",
                f"{entry['int8_bytes'] / 1024:.1f} KiB",
                "-" if entry["accuracy"] is None else f"{entry['accuracy']:.1f} %",
                entry["hash"] or "not trained",
            )
        )
    print_columns(rows, left=(0, 1, 8))
    for entry in entries if stages else []:
        total = entry["macs_per_hop"]
        work = [("stage of a hop", "MACs", "%", "functions")]
        for stage in [*entry["stages"], {"name": "all", "macs": total, "functions": entry["functions_per_hop"]}]:
            work.append(
                (stage["name"], f"{stage['macs']:,}", f"{100 * stage['macs'] / total:.1f}", f"{stage['functions']:,}")
            )
        print(f"\n{entry['name']}")
        print_columns(work, left=(0,))
