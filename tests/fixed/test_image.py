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
from kwscore.fixed import calibrate
from kwscore.fixed import image as im
from kwscore.fixed.calibrate import load_image, synthetic_calibration
from kwscore.fixed.export import rom_files
from kwscore.fixed.tables import rom
from kwscore.models.checkpoint import save_checkpoint, shipped_checkpoints
from tests.fixed.images import DUAL, NAMES, arrays, image
from tests.stream.nets import random_net


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


def test_read_only_memories_hold_the_tables() -> None:
    files = rom_files()

    def words(name: str) -> list[int]:
        return [int(line, 16) for line in files[name].splitlines()]

    assert [w & 0x3FFFF for w in words("nm_func.mem")] == rom().func[..., 0].ravel().tolist()
    assert words("nm_window.mem") == rom().window.tolist()
    assert sum(w >> 26 for w in words("nm_mel.mem")) == 40
    assert words("nm_twiddle.mem")[0] == 65536


@pytest.mark.parametrize("name", sorted(shipped_checkpoints()))
def test_the_shipped_images_are_what_the_quantiser_makes(name: str) -> None:
    """Also a proof that calibration depends on nothing but the weights."""
    beside = shipped_checkpoints()[name].with_suffix(im.SUFFIX)
    if not beside.is_file():
        pytest.skip(f"{name} comes without an image")
    shipped, made = im.Image.load(beside), load_image(name, fresh=True)
    assert shipped.to_bytes() == made.to_bytes(), (
        f"renew it: kwscope export fpga {name} --image-only -o {beside.parent}"
    )
    assert load_image(name).model_id == shipped.model_id


def test_an_image_of_other_weights_beside_a_checkpoint_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_checkpoint(random_net(DUAL), tmp_path / "own.safetensors", {})
    image(DUAL, 1).save(path.with_suffix(im.SUFFIX))
    told: list[str] = []
    short = [synthetic_calibration(8.0)[3][:8000]]
    monkeypatch.setattr(calibrate, "synthetic_calibration", lambda: short)
    assert load_image(path, progress=told.append).model_hash == image(DUAL).model_hash
    assert told == [f"Quantising {DUAL} ..."]
    image(DUAL).save(path.with_suffix(im.SUFFIX))
    assert load_image(path).model_id == image(DUAL).model_id
