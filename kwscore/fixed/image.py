"""The memory image: everything of one network that the board is given, with header and CRC-32.

Little endian: header (96 bytes), int8 weights, u8 row shifts, s32 constants, s8 formats, CRC-32 over all before.
Sections start at multiples of 4. The CRC is the image's model id.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.errors import KWScopeError
from kwscore.files import writing
from kwscore.fixed import layout as at
from kwscore.models.config import EXPERT_NAMES

MAGIC = b"KWSF"
VERSION = 1
SUFFIX = ".kwsf"
HEADER = struct.Struct("<4sHHIBBBBBBH48s6s2xIIII4x")
"""magic, version, header bytes, total bytes, front end, d, D, N, L, experts, reserved, name, hash of the float
weights, byte offsets of weights, row shifts, constants and formats."""
MAX_SHIFT = 40
GLOBAL_FORMATS = ("normed", "x", "final", "pooled")
BLOCK_FORMATS = ("ln", "up", "u", "sz", "c", "b", "h", "y", "v")
_FRONTS = {at.FRONT_LOG: "log", at.FRONT_DUAL: "dual"}
_LIMITS = {"d": 63, "channels": 127, "states": 15, "layers": 8}

# Bits of each constant (negative: signed), so that no product leaves 25 x 18 bits.
_SCALAR_BITS = dict(zip(at.SCALARS, (17, 17, -24, -18, 16, 16, 6, 17, 6, 24, 31, 6, 6), strict=True))
_BLOCK_BITS = dict(zip(at.BLOCK_SCALARS, (6, 6, 6, 6, 6, -31, -18, -25, -18, -18, -18, 6, 6, 6, 6, 6, 6), strict=True))
_PCEN_BITS = (17, 17, 31, 17, 24)
_BITS: dict[str, tuple[int, ...] | int] = {
    "scalar": tuple(_SCALAR_BITS.values()),
    "band_floor": 31,
    "pcen": _PCEN_BITS,
    "norm": (-32, 31),
    "project_bias": -24,
    "block": tuple(_BLOCK_BITS.values()),
    "ln": (-18, -17),
    "conv": (-18, -18, -18, -25),
    "channel": (-18, -25, -18),
    "decay": 17,
    "decay_shift": 6,
    "snr_bias": -25,
    "final": (-18, -17),
    "class_bias": -17,
}
# Axis of each constant along which the entries of a tuple above run.
_BITS_AXIS = {"scalar": 0, "pcen": 1, "norm": 0, "block": 1, "ln": 1, "conv": 1, "channel": 1, "final": 0}


@dataclass(frozen=True)
class Image:
    """One quantised network. Two images are the same exactly when their ``model_id`` is."""

    name: str
    model_hash: str
    """First 12 hex digits of the SHA-256 over the float weights it was made from."""
    sizes: at.Sizes
    weight: at.Matrices
    shift: at.Shifts
    const: at.Constants
    formats: dict[str, tuple[int, ...]]
    """Fraction bits of the activations: GLOBAL_FORMATS one number, BLOCK_FORMATS one per block."""

    @property
    def net(self) -> at.Net:
        """What the kernels read."""
        return at.Net(self.weight, self.shift, self.const)

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the routing weights."""
        return EXPERT_NAMES[_FRONTS[self.sizes.front]]

    @property
    def model_id(self) -> int:
        """CRC-32 of the image: what a board answers when asked what is loaded."""
        return int(struct.unpack("<I", self.to_bytes()[-4:])[0])

    def to_bytes(self) -> bytes:
        """The whole image."""
        sections = [
            _flat(self.weight).astype("<i1").tobytes(),
            _flat(self.shift).astype("<u1").tobytes(),
            _flat(self.const).astype("<i4").tobytes(),
            bytes(v & 0xFF for key in (*GLOBAL_FORMATS, *BLOCK_FORMATS) for v in self.formats[key]),
        ]
        offsets, body, at_byte = [], b"", HEADER.size
        for section in sections:
            offsets.append(at_byte + len(body))
            body += section + b"\0" * (-len(section) % 4)
        s = self.sizes
        header = HEADER.pack(
            MAGIC, VERSION, HEADER.size, HEADER.size + len(body) + 4, s.front, s.d, s.channels, s.states, s.layers,
            s.experts, 0, self.name.encode(), binascii.unhexlify(self.model_hash), *offsets,
        )  # fmt: skip
        return header + body + struct.pack("<I", zlib.crc32(header + body))

    def save(self, path: str | Path) -> Path:
        """Write beside and rename. Raises KWScopeError where that is not possible."""
        path = Path(path)
        with writing(path) as part:
            part.write_bytes(self.to_bytes())
        return path

    @classmethod
    def load(cls, path: str | Path) -> Image:
        """Read a file. Raises KWScopeError for one that is missing, foreign, of another version, or corrupt."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise KWScopeError(f"The image {path} cannot be read: {error}") from error
        return cls.from_bytes(data, str(path))

    @classmethod
    def from_bytes(cls, data: bytes, where: str = "the image") -> Image:
        """Inverse of ``to_bytes``; refuses everything that is not exactly such an image with one sentence."""
        if len(data) < HEADER.size + 4 or data[:4] != MAGIC:
            raise KWScopeError(f"{where} is no KWScope board image: make one with `kwscope export fpga`.")
        fields = HEADER.unpack_from(data)
        version, header_bytes, total = fields[1:4]
        if version != VERSION or header_bytes != HEADER.size:
            raise KWScopeError(f"{where} has image version {version}, this KWScope reads {VERSION}: export it again.")
        if total != len(data):
            raise KWScopeError(f"{where} has {len(data)} bytes instead of {total}: it is truncated, export it again.")
        if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
            raise KWScopeError(f"{where} is corrupt (its CRC-32 does not match): copy or export it again.")
        sizes = at.Sizes(*fields[4:9])
        if sizes.front not in _FRONTS or sizes.experts != fields[9]:
            raise KWScopeError(f"{where} is for a front end ({sizes.front}) that this KWScope does not know.")
        check_sizes(sizes, where)
        name, digest, offsets = fields[11].rstrip(b"\0").decode("utf-8", "replace"), fields[12].hex(), fields[13:17]
        matrices, constants = at.matrix_shapes(sizes), at.constant_shapes(sizes)
        rows = {key: shape[:-1] for key, shape in matrices.items()}
        try:
            image = cls(
                name,
                digest,
                sizes,
                at.Matrices(*_split(data, offsets[0], offsets[1], "<i1", matrices)),
                at.Shifts(*_split(data, offsets[1], offsets[2], "<u1", rows)),
                at.Constants(*_split(data, offsets[2], offsets[3], "<i4", constants)),
                _read_formats(data[offsets[3] : -4], sizes.layers),
            )
        except (ValueError, IndexError) as error:
            raise KWScopeError(f"{where} is inconsistent ({error}): export it again.") from error
        check_ranges(image, where)
        return image


def check_sizes(sizes: at.Sizes, where: str) -> None:
    """Raise KWScopeError for sizes that the datapath's widths do not cover."""
    for key, limit in _LIMITS.items():
        value = getattr(sizes, key)
        if not 1 <= value <= limit or (key == "d" and value < 2):
            raise KWScopeError(f"{where} has {key} = {value}; the integer datapath is proven for 1..{limit}.")


def check_ranges(image: Image, where: str) -> None:
    """Raise KWScopeError naming the first constant or shift that is wider than its field in the datapath."""
    for field, array in zip(at.Shifts._fields, _arrays(image.shift), strict=True):
        if array.size and int(array.max()) > MAX_SHIFT:
            raise KWScopeError(f"{where} shifts {field} by more than {MAX_SHIFT}: it is damaged, export it again.")
    for field, array in zip(at.Constants._fields, _arrays(image.const), strict=True):
        for index, low, high in field_ranges(field, array):
            part = array[index]
            if part.size and not (low <= int(part.min()) and int(part.max()) <= high):
                raise KWScopeError(
                    f"{where} has a value of {field} outside {low}..{high}, which the datapath cannot hold: "
                    "the network's parameters are too extreme, or the image is damaged."
                )
    prior, horizon = int(image.const.scalar[at.NORM_PRIOR]), int(image.const.scalar[at.NORM_HORIZON])
    if prior < 1 or horizon < 2:
        raise KWScopeError(f"{where} needs a norm prior of at least 1 frame and a horizon of at least 2.")


def field_ranges(field: str, array: NDArray[np.int64]) -> list[tuple[tuple[slice | int, ...], int, int]]:
    """Index, lowest and highest allowed value of each part of a field of ``Constants`` that has a width of its own."""
    bits = _BITS[field]
    if isinstance(bits, int):
        return [((slice(None),), *_range(bits))]
    axis = _BITS_AXIS[field]
    return [((*(slice(None),) * axis, i), *_range(b)) for i, b in enumerate(bits)]


def _range(bits: int) -> tuple[int, int]:
    return (-(1 << -bits - 1), (1 << -bits - 1) - 1) if bits < 0 else (0, (1 << bits) - 1)


def _arrays(fields: Any) -> tuple[NDArray[np.int64], ...]:
    return tuple(fields)


def _flat(fields: Any) -> NDArray[np.int64]:
    return np.concatenate([array.ravel() for array in _arrays(fields)])


def _split(data: bytes, start: int, end: int, kind: str, shapes: dict[str, tuple[int, ...]]) -> list[NDArray[np.int64]]:
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    size = np.dtype(kind).itemsize * count
    if end - start != size + -size % 4:
        raise ValueError(f"a section of {end - start} bytes instead of {size}")
    values = np.frombuffer(data, kind, count, start).astype(np.int64)
    out, position = [], 0
    for shape in shapes.values():
        n = int(np.prod(shape))
        out.append(np.ascontiguousarray(values[position : position + n].reshape(shape)))
        position += n
    return out


def _read_formats(data: bytes, layers: int) -> dict[str, tuple[int, ...]]:
    values = [v - 256 if v > 127 else v for v in data]
    formats, position = {}, 0
    for key in (*GLOBAL_FORMATS, *BLOCK_FORMATS):
        n = 1 if key in GLOBAL_FORMATS else layers
        formats[key] = tuple(values[position : position + n])
        if len(formats[key]) != n:
            raise ValueError("a short format table")
        position += n
    return formats
