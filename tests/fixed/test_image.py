"""The memory image: round trip, and one sentence for everything that is not an image."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.errors import KWScopeError
from kwscore.fixed import image as im
from kwscore.fixed.export import image_files, rom_files, write_rtl
from kwscore.fixed.tables import rom
from tests.fixed.images import DUAL, NAMES, arrays, image


def same(a: im.Image, b: im.Image) -> bool:
    parts = zip((*a.weight, *a.shift, *a.const), (*b.weight, *b.shift, *b.const), strict=True)
    return all(np.array_equal(x, y) for x, y in parts) and (a.name, a.model_hash, a.sizes, a.formats) == (
        b.name,
        b.model_hash,
        b.sizes,
        b.formats,
    )


def resealed(data: bytes) -> bytes:
    """The bytes with a correct CRC, so that later checks are reached."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(name: str, tmp_path: Path) -> None:
    made = image(name)
    path = made.save(tmp_path / "a.kwsf")
    back = im.Image.load(path)
    assert same(made, back)
    assert back.model_id == made.model_id == zlib.crc32(path.read_bytes()[:-4])
    assert back.to_bytes() == made.to_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["a.kwsf"]


def test_size_of_the_shipped_network() -> None:
    assert len(image(DUAL).to_bytes()) < 10_000
    assert image(DUAL).weight.in_proj.shape == (2, 48, 16)
    assert sum(w.size for w in image(DUAL).weight) == 3968


def test_another_weight_is_another_id() -> None:
    made = image(DUAL)
    weight = made.weight.classifier.copy()
    weight[3, 5] ^= 1
    assert replace(made, weight=made.weight._replace(classifier=weight)).model_id != made.model_id


@given(st.data())
def test_every_flipped_bit_is_noticed(data: st.DataObject) -> None:
    raw = bytearray(image(DUAL).to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(KWScopeError):
        im.Image.from_bytes(bytes(raw))


@given(st.integers(0, 9000))
def test_truncation_is_noticed(length: int) -> None:
    with pytest.raises(KWScopeError, match=r"truncated|no KWScope"):
        im.Image.from_bytes(image(DUAL).to_bytes()[:length], "x.kwsf")


def test_sentences(tmp_path: Path) -> None:
    good = image(DUAL).to_bytes()
    cases = {
        "no KWScope board image": b"RIFF" + good[4:],
        "image version 9": resealed(good[:4] + b"\x09\x00" + good[6:]),
        "front end": resealed(good[:12] + b"\x07" + good[13:]),
        "d = 200": resealed(good[:13] + b"\xc8" + good[14:]),
        "inconsistent": resealed(good[:13] + b"\x11" + good[14:]),
    }
    for message, data in cases.items():
        with pytest.raises(KWScopeError, match=message) as caught:
            im.Image.from_bytes(data, "x.kwsf")
        assert str(caught.value).startswith("x.kwsf ")
    with pytest.raises(KWScopeError, match="cannot be read"):
        im.Image.load(tmp_path / "absent.kwsf")
    with pytest.raises(KWScopeError, match="cannot be written"):
        image(DUAL).save(tmp_path / "absent" / "a.kwsf")


def test_constants_outside_their_field_are_refused() -> None:
    made = image(DUAL)
    for field, index in (("pcen", (0, 1, 3)), ("conv", (0, 0, 0)), ("scalar", (6,)), ("norm", (1, 7))):
        array = getattr(made.const, field).copy()
        array[index] = -(2**31)
        raw = replace(made, const=made.const._replace(**{field: array})).to_bytes()
        with pytest.raises(KWScopeError, match=f"value of {field} outside"):
            im.Image.from_bytes(raw)
    shift = made.shift.project.copy()
    shift[0] = 60
    with pytest.raises(KWScopeError, match="shifts project"):
        im.Image.from_bytes(replace(made, shift=made.shift._replace(project=shift)).to_bytes())


def test_hash_is_that_of_the_float_weights() -> None:
    from kwscore.models.checkpoint import model_hash

    assert image(DUAL).model_hash == model_hash(arrays(DUAL)[1])


def test_rtl_files_hold_the_memories(tmp_path: Path) -> None:
    made = image(DUAL)
    written = write_rtl(made, tmp_path / "mem")
    assert sorted(p.name for p in written) == sorted({**rom_files(), **image_files(made)})
    assert not list(tmp_path.rglob("*.part"))

    def words(name: str, bits: int) -> list[int]:
        values = [int(line, 16) for line in (tmp_path / "mem" / name).read_text().splitlines()]
        return [v - (1 << bits) if v >> (bits - 1) else v for v in values]

    assert words("nm_weight.mem", 8) == [int(v) for w in made.weight for v in w.ravel()]
    assert words("nm_shift.mem", 7) == [int(v) for w in made.shift for v in w.ravel()]
    assert words("nm_const.mem", 32) == [int(v) for w in made.const for v in w.ravel()]
    func = words("nm_func.mem", 37)
    assert [w & 0x3FFFF for w in func] == rom().func[..., 0].ravel().tolist()
    header = (tmp_path / "mem" / "nm_params.vh").read_text()
    defines = dict(line.split()[1:3] for line in header.splitlines() if line.startswith("`define") and " " in line[8:])
    assert defines["NM_MODEL_ID"] == f"32'h{made.model_id:08x}"
    const = words("nm_const.mem", 32)
    at_block = int(defines["NM_C_BLOCK"]) + int(defines["NM_C_BLOCK_STRIDE"]) + int(defines["NM_B_Y_SHIFT"])
    assert const[at_block] == made.const.block[1, int(defines["NM_B_Y_SHIFT"])]
    weights = words("nm_weight.mem", 8)
    first = int(defines["NM_W_OUT_PROJ"]) + int(defines["NM_W_OUT_PROJ_STRIDE"])
    assert weights[first : first + 24] == made.weight.out_proj[1, 0].tolist()


def test_writing_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KWScopeError, match="cannot be written"):
        write_rtl(image(DUAL), tmp_path / "file")
