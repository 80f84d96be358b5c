"""What stands in the chunks: audio as FLAC, frames as byte-shuffled and deflated columns, the rest as JSON or arrays.

Nothing is rounded: every bit of every number comes back.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import HOP, SAMPLE_RATE, WINDOW
from kwscore.stream.telemetry import Telemetry

LEVEL = 1  # of deflate: higher ones gain 2 % and take twice as long
_HEADER_LENGTH = struct.Struct("<I")
DETAILS = ("full", "brief")
"""``full``: all that the engine computed. ``brief``: logits, posteriors and level, and a checksum of the rest."""
_ALWAYS = ("frame", "position", "level_dbfs", "elapsed_us", "logits", "posteriors", "stood_in", "rest")
_OWN = ("frame", "sample", "level_dbfs", "elapsed_us", "logits")
_UNTOLD: dict[str, Any] = {
    field.name: field.default_factory() for field in fields(Telemetry) if field.default_factory is not MISSING
}
"""What boards do not tell, as their telemetry has it: empty."""
DETAIL_FIELDS = tuple(field.name for field in fields(Telemetry) if field.name not in _OWN)
"""The arrays of telemetry that only a full recording has: mel, snr, routing, delta and whatever else engines tell."""


def flac(samples: NDArray[np.int16]) -> bytes:
    """(n,) int16 at 16 kHz, n > 0, without loss."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def unflac(data: bytes) -> NDArray[np.int16]:
    """Inverse of ``flac``."""
    import soundfile

    samples: NDArray[np.int16] = soundfile.read(io.BytesIO(data), dtype="int16")[0]
    return samples


@dataclass(frozen=True, slots=True)
class Frames:
    """n frames as columns by name; ``covers`` are the details that ``rest`` is the checksum of.

    ``frame``       (n,) int64 frame index since the engine's reset.
    ``position``    (n,) int64 session sample with which the frame ended.
    ``level_dbfs``, ``elapsed_us``  (n,) float64.
    ``logits``      (n, 12) float32.
    ``posteriors``  (n, 12) float32, smoothed.
    ``stood_in``    (n,) uint8, 1 where another engine computed the frame in place of a board.
    ``rest``        (n,) uint32 CRC-32 over the details.
    Each of ``DETAIL_FIELDS``: (n, ...) float32, in a full recording.
    """

    columns: Mapping[str, NDArray[Any]]
    covers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.columns["frame"])

    def __getitem__(self, rows: slice | NDArray[Any]) -> Frames:
        """The frames of a slice, or of an index array or mask."""
        return Frames({name: column[rows] for name, column in self.columns.items()}, self.covers)

    @property
    def frame(self) -> NDArray[np.int64]:
        return self.columns["frame"]

    @property
    def position(self) -> NDArray[np.int64]:
        return self.columns["position"]

    @property
    def logits(self) -> NDArray[np.float32]:
        return self.columns["logits"]

    @property
    def posteriors(self) -> NDArray[np.float32]:
        return self.columns["posteriors"]

    @property
    def origin(self) -> NDArray[np.int64]:
        """(n,) session sample at which the engine's clock began."""
        return self.position - self.frame * HOP - (WINDOW - 1)

    @property
    def details(self) -> tuple[str, ...]:
        """Names of the details that are here; none in a brief recording."""
        return tuple(name for name in self.columns if name not in _ALWAYS)

    @classmethod
    def of(
        cls,
        telemetry: Sequence[Telemetry],
        posteriors: NDArray[np.float32],
        origin: int,
        stood_in: Collection[int] = (),
        covers: Sequence[str] = DETAIL_FIELDS,
    ) -> Frames:
        """Of at least one record. ``origin``: session sample at which the engine's own clock began.

        Of frames that stood in for a board's only what boards tell is kept, so that all frames of a segment are alike.
        """
        telemetry = [replace(record, **_UNTOLD) if i in stood_in else record for i, record in enumerate(telemetry)]
        details = {
            name: np.ascontiguousarray([getattr(record, name) for record in telemetry], np.float32) for name in covers
        }
        rows = [[zlib.crc32(row.tobytes()) for row in column] for column in details.values()]
        return cls(
            {
                "frame": np.array([record.frame for record in telemetry], np.int64),
                "position": np.array([record.sample + origin for record in telemetry], np.int64),
                "level_dbfs": np.array([record.level_dbfs for record in telemetry], np.float64),
                "elapsed_us": np.array([record.elapsed_us for record in telemetry], np.float64),
                "logits": np.array([record.logits for record in telemetry], np.float32),
                "posteriors": np.asarray(posteriors, np.float32),
                "stood_in": np.array([i in stood_in for i in range(len(telemetry))], np.uint8),
                "rest": np.array([_mixed(crcs) for crcs in zip(*rows, strict=True)], np.uint32),
                **details,
            },
            tuple(covers),
        )

    @classmethod
    def joined(cls, parts: Sequence[Frames]) -> Frames:
        """One after the other; all of one shape (see ``fits``)."""
        if len(parts) == 1:
            return parts[0]
        return cls({n: np.concatenate([part.columns[n] for part in parts]) for n in parts[0].columns}, parts[0].covers)

    def fits(self, other: Frames) -> bool:
        """Whether both have the same columns of the same shape, so that they can be joined."""
        mine = {name: column.shape[1:] for name, column in self.columns.items()}
        return mine == {name: column.shape[1:] for name, column in other.columns.items()}

    def brief(self) -> Frames:
        """Without the details."""
        return Frames({name: self.columns[name] for name in _ALWAYS}, self.covers)

    def telemetry(self, row: int, origin: int) -> Telemetry:
        """One frame as the engine delivered it; details that are not here are empty."""
        one = {name: column[row] for name, column in self.columns.items()}
        details = {name: one.get(name, np.zeros(0, np.float32)) for name in DETAIL_FIELDS}
        return Telemetry(
            frame=int(one["frame"]),
            sample=int(one["position"]) - origin,
            level_dbfs=float(one["level_dbfs"]),
            logits=one["logits"],
            elapsed_us=float(one["elapsed_us"]),
            **details,
        )


def _mixed(crcs: Sequence[int]) -> int:
    return zlib.crc32(np.array(crcs, np.uint32).tobytes())


def pack_frames(frames: Frames) -> bytes:
    """Bytes of equal weight stand together, time running fastest: that deflates."""
    layout = [(name, column.shape[1:], column.dtype.str) for name, column in frames.columns.items()]
    header = pack_json({"n": len(frames), "covers": frames.covers, "columns": layout})
    parts = []
    for column in frames.columns.values():
        flat = np.ascontiguousarray(column).reshape(len(frames), -1)
        parts.append(flat.view(np.uint8).reshape(len(frames), -1, column.itemsize).T.tobytes() if flat.size else b"")
    return _HEADER_LENGTH.pack(len(header)) + header + zlib.compress(b"".join(parts), LEVEL)


def unpack_frames(data: bytes) -> Frames:
    """Inverse of ``pack_frames``."""
    body = _HEADER_LENGTH.size + _HEADER_LENGTH.unpack_from(data)[0]
    header = unpack_json(data[_HEADER_LENGTH.size : body])
    n, raw, at, found = header["n"], zlib.decompress(data[body:]), 0, {}
    for name, shape, text in header["columns"]:
        dtype = np.dtype(text)
        length = n * int(np.prod(shape)) * dtype.itemsize
        if length:
            shuffled = np.frombuffer(raw, np.uint8, length, at).reshape(dtype.itemsize, -1, n).T
            found[name] = np.ascontiguousarray(shuffled).view(dtype).reshape(n, *shape)
        else:
            found[name] = np.zeros((n, *shape), dtype)
        at += length
    return Frames(found, tuple(header["covers"]))


def pack_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def unpack_json(data: bytes) -> Any:
    return json.loads(data)


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays, compressed."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Inverse of ``pack_arrays``; nothing in it can be code."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return dict(stored)
