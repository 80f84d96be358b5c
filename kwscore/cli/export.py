"""``kwscope export``: networks in the formats of others, and for the board."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kwscore.cli.common import JsonOption, emit, note, print_columns
from kwscore.errors import KWScopeError

app = typer.Typer(
    help="Write a network for other programs and devices.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    no_args_is_help=True,
)


class Kind(StrEnum):
    """What the file holds."""

    step = "step"
    clip = "clip"


@app.callback()
def _export() -> None:
    """Write a network for other programs and devices."""


@app.command()
def onnx(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NAME|PATH", help="A shipped name, a checkpoint, or NAME=FILE.pt for published weights."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="File to write.")],
    kind: Annotated[
        Kind | None,
        typer.Option(
            help="step: one hop with explicit state; clip: a whole waveform. Default: step where there is one."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Run it in onnxruntime beside the network.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a network as ONNX (operator set 18, float32).

    The file carries the network's name, hash, labels, sample rate and hop; docs/onnx.md describes inputs, state and
    outputs. With --check the exit status is 1 where a logit differs by more than 0.0001.
    """
    from kwscore.export.onnx_file import export_onnx

    net = _open(network)
    written = export_onnx(net, out, kind.value if kind else None)
    record = {**asdict(written), "path": str(written.path)}
    frames = difference = None
    if check:
        from kwscore.export.check import TOLERANCE, largest_difference

        frames, difference = largest_difference(written.path, net)
        record |= {"checked": frames, "largest_difference": difference, "tolerance": TOLERANCE}
    if as_json:
        emit(record)
    else:
        print(f"{written.path}: {written.network} ({written.model_hash}), {written.kind}, {written.bytes:,} bytes")
        rows = [("tensor", "", "shape")]
        for way, tensors in (("in", written.inputs), ("out", written.outputs)):
            rows += [(name, way, " x ".join(map(str, shape))) for name, shape in tensors.items()]
        print_columns(rows, left=(0, 1, 2))
    if frames is not None and difference is not None:
        note(f"largest logit difference in onnxruntime: {difference:.1e} ({frames} compared)")
        if not difference <= TOLERANCE:
            raise typer.Exit(1)


def _open(spec: str) -> Any:
    """A network as ``export_onnx`` takes it; torch only where the schedule needs it."""
    from kwscore.models.checkpoint import load_arrays, load_baseline, load_model, read_config
    from kwscore.models.config import CnnConfig

    name, separator, file = spec.partition("=")
    if separator and file.endswith((".pt", ".pth")):
        from kwscore.models.published import load_published

        return load_published(file, name)
    if spec.endswith((".pt", ".pth")):
        raise KWScopeError(f"{spec} does not say which network it holds: give NAME={spec}, for instance NC-SSM={spec}.")
    config = read_config(spec)
    if isinstance(config, CnnConfig):
        return load_baseline(spec)
    return load_arrays(spec)[:2] if config.schedule == "stream" else load_model(spec)


@app.command()
def fpga(
    network: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A shipped name, a checkpoint, or an image.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write into; made if absent.")],
    image_only: Annotated[
        bool, typer.Option("--image-only", help="Only the image that a board is loaded with, no .mem and .vh files.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a network for the FPGA: its memory image and what rtl/ includes.

    NAME.kwsf is what a board is loaded with: header, int8 weights, row shifts, constants, formats, CRC-32 (section 8 of
    docs/fixed_point.md). The .mem and .vh files make a bitstream that holds these weights from the start. The same
    checkpoint gives the same bytes on every machine.
    """
    from kwscore.board.export import export_fpga

    made = export_fpga(network, out, image_only=image_only, progress=note)
    image = made.image
    formats = {name: list(values) for name, values in image.formats.items()}
    counts = {
        "weights": sum(array.size for array in image.weight),
        "row_shifts": sum(array.size for array in image.shift),
        "constants": sum(array.size for array in image.const),
    }
    size = len(image.to_bytes())
    if as_json:
        emit(
            {
                "path": str(made.path),
                "network": image.name,
                "model_hash": image.model_hash,
                "model_id": f"{image.model_id:08x}",
                "bytes": size,
                **counts,
                "sizes": image.sizes._asdict(),
                "fraction_bits": formats,
                "rtl": [str(path) for path in made.rtl],
            }
        )
        return
    print(f"{made.path}: {image.name} ({image.model_hash}), model id {image.model_id:08x}, {size:,} bytes")
    print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))
    rows = [("tensor", "fraction bits")]
    rows += [(name, " ".join(map(str, values))) for name, values in formats.items()]
    print_columns(rows, left=(0, 1))
    if made.rtl:
        print(f"{len(made.rtl)} files for rtl/ in {out}: {', '.join(path.name for path in made.rtl)}")
