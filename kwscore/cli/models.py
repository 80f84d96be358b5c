"""``kwscope models``: the networks, what they cost and how well they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import JsonOption, emit, print_columns
from kwscore.columns import markdown
from kwscore.errors import KWScopeError

if TYPE_CHECKING:
    from kwscore.models.config import CnnConfig, NetworkConfig


def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME|PATH", help="Only these, each with its stages of work.")
    ] = None,
    as_json: JsonOption = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Accuracy of the trained networks, smallest first, in Markdown.")
    ] = False,
) -> None:
    """List the networks and what they cost.

    Parameters, work, memory, and of trained networks accuracy and hash. MACs are multiplications, counted from the
    shapes: per hop (10 ms) from samples to logits, and per clip (1 s). The convolutional baselines take whole clips
    only and have no work per hop. Memory is weights and state, as 32-bit floats and as 8-bit weights with 16-bit state.
    Accuracy is that of the weights' card on the validation mix, clean and as the mean of white, pink, factory and
    street noise at 0 dB, with the number of clips. The hash is the first 12 digits of the SHA-256 over the weights.
    """
    from kwscore.models.config import BASELINES, REGISTRY

    if as_json and as_markdown:
        raise KWScopeError("Give --json or --markdown, not both.")
    described = [describe(name) for name in names or [*REGISTRY, *BASELINES]]
    if as_json:
        for entry in described:
            emit(entry)
    elif as_markdown:
        print(markdown(_accuracy(described), left=(0, 1, 10)), end="")
    else:
        _print_table(described, stages=bool(names))


def describe(name: str) -> dict[str, Any]:
    """Everything known of a network by name, or of a checkpoint by path, without importing torch.

    A registered network without trained weights has None for ``hash``, ``accuracy`` and the other figures of a card; a
    baseline None for what is per hop. Raises KWScopeError for an unknown name or a bad checkpoint.
    """
    from kwscore.models.checkpoint import SUFFIX, read_checkpoint, shipped_checkpoints
    from kwscore.models.config import ALIASES, BASELINES, baseline_config, network_config

    if ALIASES.get(name, name) in shipped_checkpoints() or name.endswith(SUFFIX) or len(Path(name).parts) > 1:
        config, _, card = read_checkpoint(name)
        return _entry(config, card)
    return _entry(baseline_config(name) if name in BASELINES else network_config(name), {})


def _entry(config: NetworkConfig | CnnConfig, card: dict[str, Any]) -> dict[str, Any]:
    from kwscore.evaluation.figures import card_figures
    from kwscore.models.config import ALIASES, CnnConfig
    from kwscore.models.cost import hop_stages, network_cost
    from kwscore.models.cost_cnn import baseline_cost, clip_stages

    figures = card_figures(card)
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
        "accuracy": figures.get("clean"),
        **{name: figures.get(name) for name in ("words", "silence", "unknown", "noise", "babble", "clips")},
        "hash": card.get("model_hash"),
        "stages": [{"name": stage.name, "macs": stage.macs, "functions": stage.functions} for stage in stages],
    }


def _accuracy(entries: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each network that has weights, by size, heading first: validation as the card has it."""
    figures = ("accuracy", "words", "silence", "unknown", "noise", "babble")
    heading = ("network", "schedule", "parameters", "clips", "clean", "words", "silence", "unknown")
    rows: list[tuple[str, ...]] = [(*heading, "mean of 4 noises, 0 dB", "babble 0 dB", "weights")]
    for entry in sorted((e for e in entries if e["hash"] is not None), key=lambda e: e["parameters"]):
        shares = [_number(entry[name], ".1f") for name in figures]
        counts = (f"{entry['parameters']:,}", _number(entry["clips"], ","))
        rows.append((entry["name"], entry["schedule"], *counts, *shares, f"`{entry['hash']}`"))
    return rows


def _number(value: Any, form: str) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def _print_table(entries: list[dict[str, Any]], stages: bool) -> None:
    heading = ("network", "schedule", "parameters", "MACs/hop", "MACs/clip", "float", "8-bit")
    rows = [(*heading, "accuracy", "0 dB", "clips", "hash")]
    for entry in entries:
        rows.append(
            (
                entry["name"],
                entry["schedule"],
                f"{entry['parameters']:,}",
                _number(entry["macs_per_hop"], ","),
                f"{entry['macs_per_clip'] / 1e6:.2f} M",
                f"{entry['float_bytes'] / 1024:.1f} KiB",
                f"{entry['int8_bytes'] / 1024:.1f} KiB",
                _number(entry["accuracy"], ".1f"),
                _number(entry["noise"], ".1f"),
                _number(entry["clips"], ","),
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
