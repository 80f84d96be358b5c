"""Files: every format, rate and channel count; pacing on a clock turned by hand; bad files as one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio import file as file_module
from kwscore.audio.file import AudioReader, FileSource, read_audio
from kwscore.audio.pacing import LARGEST_READ, PacedSource
from kwscore.audio.source import Source, SourceState
from kwscore.constants import HOP
from kwscore.errors import KWScopeError
from tests.audio.clock import FakeClock

COMPRESSED = [("x.ogg", {"subtype": "VORBIS"}), ("x.opus", {"format": "OGG", "subtype": "OPUS"}), ("x.mp3", {})]


def noise(n=24_000, seed=0):
    return np.random.default_rng(seed).integers(-20_000, 20_000, n).astype(np.int16)


def tone(rate, seconds=1.0, channels=1):
    x = 0.4 * np.sin(2 * np.pi * 500 * np.arange(round(rate * seconds)) / rate)
    return np.repeat(x[:, None], channels, 1).astype(np.float32)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(), 16_000)
    return path


def drain(source: PacedSource) -> list[np.ndarray]:
    parts = []
    while source.status().state is SourceState.RUNNING:
        parts.append(source.read(0.1))
    return parts


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_lossless_16_khz_mono_is_exact(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, noise(), 16_000)
    np.testing.assert_array_equal(read_audio(path), noise())
    source = FileSource(path, "fast")
    source.start()
    np.testing.assert_array_equal(np.concatenate(drain(source)), noise())


@pytest.mark.parametrize(
    ("rate", "channels"), [(8_000, 1), (11_025, 2), (44_100, 2), (48_000, 6), (96_000, 1), (192_000, 2)]
)
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_any_rate_and_channel_count(tmp_path, rate, channels, subtype):
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(rate, channels=channels), rate, subtype=subtype)
    x = read_audio(path)
    assert abs(len(x) - 16_000) <= 1
    expected = tone(16_000)[:, 0] * 32768
    np.testing.assert_allclose(x[500:15_000], expected[500:15_000], atol=4)
    source = FileSource(path, "fast")
    source.start()
    assert source.status().native_rate == rate
    assert source.length == len(x)
    np.testing.assert_array_equal(np.concatenate(drain(source)), x)


@pytest.mark.parametrize(("name", "options"), COMPRESSED)
def test_compressed_formats_equal_their_decoder_in_one_go(tmp_path, name, options):
    path = tmp_path / name
    soundfile.write(path, tone(16_000, 2.0), 16_000, **options)
    decoded, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_allclose(read_audio(path), np.rint(decoded * 32768).clip(-32768, 32767), atol=1)
    spectrum = np.abs(np.fft.rfft(decoded[8_000:24_000]))
    assert spectrum.argmax() == 500


def test_first_seconds_only(wav):
    np.testing.assert_array_equal(read_audio(wav, 0.5), noise()[:8_000])
    np.testing.assert_array_equal(read_audio(wav, 60), noise())
    assert read_audio(wav, 0).shape == (0,)


@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=8))
def test_reader_delivers_the_same_however_it_is_read(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("reader") / "x.wav"
    soundfile.write(path, tone(44_100, channels=2), 44_100)
    reader = AudioReader(path)
    got = np.concatenate([reader.read(n) for n in sizes])
    reader.close()
    np.testing.assert_array_equal(got, read_audio(path)[: sum(sizes)])


def test_a_long_file_is_decoded_block_by_block(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(16_000 * 120, np.int16), 16_000)
    reader = AudioReader(path)
    reader.read(HOP)
    assert reader._file.tell() <= 2 * file_module._BLOCK
    reader.close()


def test_realtime_follows_the_clock_without_drift(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, np.arange(32_000).astype(np.int16), 16_000)
    clock = FakeClock()
    source = FileSource(path, clock=clock, sleep=clock.sleep)
    source.start()
    assert len(source.read(0.0)) == 0  # nothing is due yet
    total = 0
    rng = np.random.default_rng(3)
    begin = 100.0
    while source.status().state is SourceState.RUNNING:
        clock.advance(float(rng.uniform(0, 0.03)))  # the reader is late by a random amount
        samples = source.read(1.0)
        assert len(samples) >= HOP or source.status().state is SourceState.FINISHED
        np.testing.assert_array_equal(samples, np.arange(total, total + len(samples)).astype(np.int16))
        total += len(samples)
        due = (clock.now - begin) * 16_000
        assert total <= due + 1  # never early
        assert total >= min(due - 2, 32_000)  # never late
    assert total == 32_000
    assert source.status().position == 32_000
    assert len(source.read(1.0)) == 0


def test_waits_no_longer_than_asked(wav):
    clock = FakeClock()
    source = FileSource(wav, clock=clock, sleep=clock.sleep)
    source.start()
    assert len(source.read(0.004)) == 0
    assert clock.slept == pytest.approx(0.004)
    assert len(source.read(0.5)) == HOP
    assert clock.slept == pytest.approx(0.01)


def test_a_reader_that_was_held_up_catches_up_in_bounded_reads(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(80_000, np.int16), 16_000)
    clock = FakeClock()
    source = FileSource(path, clock=clock, sleep=clock.sleep)
    source.start()
    clock.advance(3.5)
    assert [len(source.read(0)) for _ in range(4)] == [LARGEST_READ, LARGEST_READ, LARGEST_READ, 8_000]


def test_start_stop_start_again(wav):
    source = FileSource(wav, "fast")
    assert isinstance(source, Source)
    assert (source.name, source.live, FileSource(wav).live) == ("noise.wav", False, True)
    assert source.status().state is SourceState.IDLE
    assert len(source.read()) == 0
    source.start()
    source.start()
    first = source.read()
    source.stop()
    source.stop()
    assert source.status().state is SourceState.IDLE
    assert len(source.read()) == 0
    source.start()
    np.testing.assert_array_equal(source.read(), first)
    source.stop()


def test_unknown_pace_is_one_sentence(wav):
    with pytest.raises(KWScopeError, match="no pace 'slow'"):
        FileSource(wav, "slow")  # type: ignore[arg-type]


def broken_files(folder: Path) -> dict[str, tuple[Path, str]]:
    good = folder / "good.wav"
    soundfile.write(good, noise(), 16_000)
    soundfile.write(folder / "slow.wav", noise(), 1_000)
    content = {
        "empty": (b"", "is empty"),
        "text": (b"this is not audio\n" * 50, "is not audio"),
        "head": (good.read_bytes()[:20], "is not audio"),
        "no samples": (good.read_bytes()[:44], "holds no audio"),
        "raw": (noise().tobytes(), "is not audio"),
    }
    files = {}
    for name, (data, message) in content.items():
        path = folder / f"{name}.{'raw' if name == 'raw' else 'wav'}"
        path.write_bytes(data)
        files[name] = (path, message)
    files["missing"] = (folder / "missing.wav", "There is no file")
    files["folder"] = (folder, "is a folder")
    files["rate"] = (folder / "slow.wav", "sample rate of 1000 Hz")
    return files


@pytest.mark.parametrize("name", ["empty", "text", "head", "no samples", "raw", "missing", "folder", "rate"])
def test_bad_files_are_one_sentence_that_names_them(tmp_path, name):
    path, message = broken_files(tmp_path)[name]
    source = FileSource(path)
    for attempt in (source.start, lambda: read_audio(path)):
        with pytest.raises(KWScopeError) as caught:
            attempt()
        text = str(caught.value)
        assert message in text
        assert str(path) in text
        assert "\n" not in text
        assert text.count(". ") == 0
    assert source.status().state is SourceState.IDLE


def test_pipes_and_devices_are_called_so(tmp_path):
    fifo = tmp_path / "pipe.wav"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/null")):
        with pytest.raises(KWScopeError, match=f"{path} is a pipe or a device.*give an audio file"):
            AudioReader(path)


def test_a_name_need_not_be_valid_text(tmp_path, wav):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.wav")
    try:
        Path(path).write_bytes(wav.read_bytes())
    except OSError:
        pytest.skip("this file system takes only valid text as names")
    np.testing.assert_array_equal(read_audio(path), read_audio(wav))


@pytest.mark.parametrize(("name", "options"), [("x.wav", {}), ("x.flac", {}), ("x.aiff", {}), *COMPRESSED])
def test_a_file_cut_short_plays_what_is_there_and_says_so(tmp_path, name, options):
    whole = tmp_path / ("whole_" + name)
    soundfile.write(whole, noise(64_000), 16_000, **options)
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    source = FileSource(path, "fast")
    source.start()
    parts = np.concatenate(drain(source))
    assert 6_000 < len(parts) < 48_000
    if name == "x.wav":
        np.testing.assert_array_equal(parts, noise(64_000)[: len(parts)])
    message = source.status().message
    assert "cut short" in message
    assert str(path) in message
    with pytest.raises(KWScopeError, match="cut short"):
        read_audio(path)
    assert read_audio(whole).shape[0] >= 60_000


def test_a_wav_written_to_a_pipe_has_no_size_and_is_not_cut_short(wav, tmp_path):
    data = bytearray(wav.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path = tmp_path / "pipe.wav"
    path.write_bytes(data)
    np.testing.assert_array_equal(read_audio(path), noise())


def test_nan_in_a_float_file_is_silence(tmp_path):
    x = tone(48_000)
    x[1_000] = np.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, x, 48_000, subtype="FLOAT")
    assert np.abs(read_audio(path)).max() < 16_000


class _Failing(PacedSource):
    def _open(self) -> None: ...

    def _pull(self, n: int) -> np.ndarray:
        raise RuntimeError("the disk is gone")

    def _close(self) -> None: ...


def test_read_never_raises():
    source = _Failing("x", "fast")
    source.start()
    assert len(source.read()) == 0
    assert source.status().state is SourceState.FINISHED
    assert "the disk is gone" in source.status().message


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_channels_that_cancel_are_heard_through_the_first_and_that_is_said(tmp_path, rate):
    path, alone = tmp_path / "inverted.wav", tmp_path / "alone.wav"
    first = np.concatenate([np.zeros(rate // 2), 0.3 * tone(rate)[:, 0]])
    soundfile.write(path, np.stack((first, -first), 1), rate)
    soundfile.write(alone, first, rate)
    heard, expected = read_audio(path), read_audio(alone)
    assert len(heard) == len(expected)
    late = 16_000 // 2 + 16_000 // 25  # what is lost is the window in which it shows
    np.testing.assert_allclose(heard[late:], expected[late:], atol=2)
    source = FileSource(path, "fast")
    source.start()
    drain(source)
    assert source.status().message == f"The channels of {path} cancel each other: only the first is used."
    assert not source.damaged
    soundfile.write(path, np.stack((first, 0.9 * first), 1), rate)
    source.start()
    drain(source)
    assert source.status().message == ""
