"""Plans as text: TOML with a comment to every field, or JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kwscore.errors import KWScopeError
from kwscore.experiment.plan import Plan

_COMMENTS = {
    "title": "What tables and plots are headed with.",
    "networks": "Names that 'kwscope models' lists, paths of checkpoints, or NAME=FILE.pt for published weights.",
    "engines": "float, integer, board:sim or board:rtl (virtual boards), or board: and a port: board:/dev/ttyUSB1.",
    "noises": 'white, pink, factory, street, babble; "recorded KIND"; or the path of a recording of your own.',
    "snrs": "Signal-to-noise ratios in dB.",
    "clean": "Also without noise.",
    "seeds": "Every clip gets its own noise, drawn from seed, condition and clip. More seeds: more noise.",
    "mode": "reset: each clip by itself, SNR over the clip's second. stream: one stream, SNR over the speech level.",
    "reference": 'Speech level of a stream: "whole" (measured over all of it), "speech" (followed, as live), or dBFS.',
    "gap_s": "Seconds of silence before each clip of a stream (playlists have their own pauses).",
    "recordings": 'Folder of noise recordings; a sub-folder is a kind: street/a.wav belongs to "recorded street".',
    "source": (
        'What is played. One of: playlist = "demo" or a playlist\'s JSON file; folder = a folder with a sub-folder of '
        "recordings for each word;\n# speech_commands = the folder of that data set (then also: split, mix, extra_dir "
        "as 'kwscope evaluate' takes them). clips = N: a random subset."
    ),
    "detection": "When a word counts as heard (detection = false: count none). As in the window's detection settings.",
}


def plan_text(plan: Plan, suffix: str = ".toml") -> str:
    """The plan as JSON where ``suffix`` is .json, else as commented TOML; ``parse_plan`` reads either."""
    content = plan.to_dict()
    if suffix.lower() == ".json":
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    lines = ["# A noise experiment: kwscope experiment THIS_FILE --out FOLDER", ""]
    tables = {key: content.pop(key) for key in ("source", "detection")}
    if not isinstance(tables["detection"], dict):
        content["detection"] = tables.pop("detection")
    for key, value in content.items():
        lines += [f"# {_COMMENTS[key]}", f"{key} = {_value(value)}", ""]
    for key, table in tables.items():
        inner = table.pop("word_thresholds", {})
        lines += [f"# {_COMMENTS[key]}", f"[{key}]", *(f"{k} = {_value(v)}" for k, v in table.items())]
        if inner:
            lines += [f"[{key}.word_thresholds]", *(f"{k} = {_value(v)}" for k, v in inner.items())]
        lines.append("")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    # strings of JSON are strings of TOML but for DEL, which JSON leaves bare
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def save_plan(plan: Plan, path: str | Path, *, overwrite: bool = True) -> Path:
    """Write a plan, beside and renamed. Raises KWScopeError where it cannot, or may not, be written."""
    path = Path(path)
    if not overwrite and path.exists():
        raise KWScopeError(f"{path} exists already: choose another name, or remove it first.")
    if path.suffix.lower() not in (".toml", ".json"):
        raise KWScopeError(f"{path}: an experiment's name ends in .toml or .json: add one of them.")
    from kwscore.evaluation.grid import write_text  # here: it imports scipy

    text = plan_text(plan, path.suffix)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise KWScopeError(f"{path} cannot be written: a path in the experiment is no valid text; rename it.") from None
    write_text(path, text)
    return path
