"""``kwscope classify``: one answer per file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import (
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
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kwscore.stream.telemetry import Engine
    from kwscore.stream.window import WindowEngine

_PART = 10 * SAMPLE_RATE
_CLIP_STEP = SAMPLE_RATE // 10


def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="WAV, FLAC, OGG, Opus, MP3; any rate.")],
    model: ModelOption = DEFAULT_NETWORK,
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


def _classify_file(engine: Engine, file: str) -> dict[str, Any]:
    import numpy as np

    from kwscore.audio.file import read_audio
    from kwscore.stream.detection import softmax
    from kwscore.stream.window import WindowEngine

    samples = read_audio(file)
    padded = np.pad(samples, (0, max(0, CLIP_SAMPLES - len(samples))))
    if isinstance(engine, WindowEngine):
        logits, step = _clips(engine, padded), _CLIP_STEP
    else:
        logits, step = _stream(engine, padded), HOP
    probabilities = softmax(logits)
    clearest = int(probabilities[:, : len(WORDS)].max(1).argmax())  # of a clip there is only one
    ranked = ranking(probabilities[clearest])
    label, score = ranked[0]
    return {
        "file": file,
        "label": label,
        "score": score,
        "top": [{"label": name, "score": value} for name, value in ranked],
        "logits": numbers(logits[clearest]),
        "start_s": clearest * step / SAMPLE_RATE,
        "seconds": len(samples) / SAMPLE_RATE,
        "model": engine.name,
        "hash": engine.model_hash,
    }


def _stream(engine: Engine, samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Logits (n, 12) at the end of each second that the stream has heard, hop by hop from reset."""
    import numpy as np

    engine.reset()
    # by parts, so that of a long file only the logits are kept
    parts = (samples[begin : begin + _PART] for begin in range(0, len(samples), _PART))
    return np.stack([record.logits for part in parts for record in engine.process(part)])[CLIP_FRAMES - 1 :]


def _clips(engine: WindowEngine, samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Logits (n, 12) of each second as a clip of its own, every 100 ms."""
    import numpy as np
    import torch

    waves = np.lib.stride_tricks.sliding_window_view(samples, CLIP_SAMPLES)[::_CLIP_STEP]
    with torch.inference_mode():
        rows = [engine.net(torch.from_numpy(wave.astype(np.float32) / 32768)[None])[0].numpy() for wave in waves]
    return np.stack(rows)


def _print_line(result: dict[str, Any]) -> None:
    others = ", ".join(f"{entry['label']} {entry['score']:.2f}" for entry in result["top"][1:])
    place = f"  at {result['start_s']:.2f} s" if result["start_s"] else ""
    print(f"{result['label']:<8}{result['score']:.2f}  {result['file']}{place}  (then {others})", flush=True)
