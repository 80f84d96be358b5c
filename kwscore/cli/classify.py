"""``kwscope classify``: one answer per file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kwscore.cli.common import (
    DEFAULT_MODEL,
    JsonOption,
    ModelOption,
    emit,
    note,
    numbers,
    open_engine,
    ranking,
)
from kwscore.constants import CLIP_FRAMES, CLIP_SAMPLES, HOP, SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError

_HOPS_PER_SECOND = SAMPLE_RATE // HOP
_PART = 10 * SAMPLE_RATE


def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="WAV, FLAC, OGG, Opus, MP3; any rate.")],
    model: ModelOption = DEFAULT_MODEL,
    as_json: JsonOption = False,
) -> None:
    """Say which word each file holds.

    One line a file: label, probability, file, runners-up. A file of up to a second is one clip (a shorter one is
    followed by silence). Of a longer file it is the second that holds a word most clearly; to find every word in it use
    `kwscope listen FILE`.

    A file that cannot be read is reported on stderr, and the others go on; the exit status is then 1.
    """
    engine = open_engine(model)
    failed = 0
    for file in files:
        try:
            result = _classify_file(engine, file)
        except KWScopeError as error:
            failed += 1
            note(f"kwscope: {error}")
            if as_json:
                emit({"file": file, "error": str(error)})
            continue
        if as_json:
            emit(result)
        else:
            _print_line(result)
    if failed:
        note(f"{failed} of {len(files)} files could not be classified")
        raise typer.Exit(1)


def _classify_file(engine: Any, file: str) -> dict[str, Any]:
    import numpy as np

    from kwscore.audio.file import read_audio
    from kwscore.stream.detection import softmax

    samples = read_audio(file)
    padded = np.pad(samples, (0, max(0, CLIP_SAMPLES - len(samples))))
    engine.reset()
    # by parts, so that of a long file only the logits are kept
    parts = (padded[begin : begin + _PART] for begin in range(0, len(padded), _PART))
    logits = np.stack([record.logits for part in parts for record in engine.process(part)])
    probabilities = softmax(logits)
    # a second ends at each of these frames; of a clip there is only one
    ends = probabilities[CLIP_FRAMES - 1 :, : len(WORDS)].max(1)
    end = CLIP_FRAMES - 1 + int(ends.argmax())
    ranked = ranking(probabilities[end])
    label, score = ranked[0]
    return {
        "file": file,
        "label": label,
        "score": score,
        "top": [{"label": name, "score": value} for name, value in ranked],
        "logits": numbers(logits[end]),
        "start_s": (end - CLIP_FRAMES + 1) / _HOPS_PER_SECOND,
        "seconds": len(samples) / SAMPLE_RATE,
        "model": engine.name,
        "hash": engine.model_hash,
    }


def _print_line(result: dict[str, Any]) -> None:
    others = ", ".join(f"{entry['label']} {entry['score']:.2f}" for entry in result["top"][1:])
    place = f"  at {result['start_s']:.2f} s" if result["start_s"] else ""
    print(f"{result['label']:<8}{result['score']:.2f}  {result['file']}{place}  (then {others})", flush=True)
