"""Noise mixed into a live stream: the SNR is true, no sample is lost, nothing clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.level import active_speech_dbfs
from kwscore.audio.mixing import SpeechReference, StreamingMixer
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.recordings import RecordedNoise, open_noise, recordings_in
from kwscore.constants import HOP, NOMINAL_SPEECH_DBFS
from kwscore.errors import KWScopeError


class Constant:
    """A "noise" that is 1 everywhere, so that the gain itself can be seen."""

    name = "constant"

    def read(self, n: int) -> np.ndarray:
        return np.ones(n, dtype=np.float32)


def talk(seconds, level_dbfs=-25.0, seed=0):
    """Bursts of coloured noise with pauses, scaled to an active speech level: int16."""
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.choice([0.0, 0.0, 0.4, 1.0], seconds * 10), 1_600)
    x = np.convolve(rng.normal(0, 1, len(envelope)), np.ones(6) / 6, "same") * envelope
    x = (0.05 * x).astype(np.float32)
    x *= np.float32(10 ** ((level_dbfs - active_speech_dbfs(x)) / 20))
    return np.rint(x * 32768).clip(-32768, 32767).astype(np.int16)


def power_db(x):
    return 10 * np.log10(np.mean(np.square(x.astype(np.float64) / 32768)))


@pytest.mark.parametrize("kind", PUBLISHED_NOISES)
@pytest.mark.parametrize("snr", [-5.0, 10.0])
def test_snr_is_true_at_a_fixed_reference(kind, snr):
    speech = talk(20, -30)
    mixer = StreamingMixer(kind, snr, seed=1, reference=-30.0)
    added = mixer.process(speech).astype(float) - speech
    assert power_db(added[HOP:]) == pytest.approx(-30 - snr, abs=0.35)
    assert mixer.saturated == 0


@pytest.mark.parametrize("level", [-40.0, -25.0, -15.0])
def test_snr_is_true_for_the_tracked_level(level):
    speech = talk(20, level)
    mixer = StreamingMixer("white", 20.0, seed=2)
    added = mixer.process(speech).astype(float) - speech
    assert mixer.reference_dbfs == pytest.approx(level, abs=1.0)
    assert power_db(added[-160_000:]) == pytest.approx(level - 20, abs=1.0)
    assert mixer.noise_dbfs == pytest.approx(mixer.reference_dbfs - 20)


def test_reference_holds_through_pauses_and_follows_a_new_level():
    reference = SpeechReference()
    assert reference.dbfs == NOMINAL_SPEECH_DBFS

    def hear(x):
        for hop in x.reshape(-1, HOP):
            reference.process(hop)
        return reference.dbfs

    rng = np.random.default_rng(3)
    assert hear(rng.normal(0, 20, 16_000).astype(np.int16)) == NOMINAL_SPEECH_DBFS  # a quiet room is no speech
    spoken = hear(talk(10, -20))
    assert spoken == pytest.approx(-20, abs=1)
    assert hear(rng.normal(0, 20, 60 * 16_000).astype(np.int16)) == pytest.approx(spoken, abs=0.3)
    assert hear(talk(40, -32, seed=4)) == pytest.approx(-32, abs=2)
    assert hear(talk(20, -14, seed=5)) == pytest.approx(-14, abs=1.5)


@given(st.lists(st.integers(0, 8_000), max_size=10), st.sampled_from(["speech", -25.0]))
def test_output_does_not_depend_on_chunks(cuts, reference):
    speech = talk(1)[:8_000]
    parts = StreamingMixer("babble", 5.0, seed=6, reference=reference)
    whole = StreamingMixer("babble", 5.0, seed=6, reference=reference)
    mixed = np.concatenate([parts.process(part) for part in np.split(speech, sorted(cuts))])
    np.testing.assert_array_equal(mixed, whole.process(speech))


def test_without_noise_samples_pass_untouched_and_again_after_noise_is_taken_away():
    speech = talk(2)
    mixer = StreamingMixer(None)
    np.testing.assert_array_equal(mixer.process(speech), speech)
    mixer.set_noise("white")
    assert not np.array_equal(mixer.process(speech), speech)
    mixer.set_noise(None)
    np.testing.assert_array_equal(mixer.process(speech)[HOP:], speech[HOP:])
    assert mixer.noise_dbfs == -120


@given(
    st.lists(
        st.tuples(st.integers(0, 700), st.sampled_from(["snr", "noise", "none", "reference"]), st.floats(0, 30)),
        min_size=1,
        max_size=15,
    )
)
def test_changes_lose_no_sample_and_gain_moves_gently(changes):
    mixer = StreamingMixer(None, 20.0, reference=-25.0)
    out = []
    for n, what, value in changes:
        if what == "snr":
            mixer.snr_db = value
        elif what == "reference":
            mixer.reference = -25.0 - value
        else:
            mixer.set_noise(Constant() if what == "noise" else None)
        out.append(mixer.process(np.zeros(n, np.int16)))
        assert len(out[-1]) == n
    gain = np.concatenate([np.zeros(2), *out])
    largest = 32768 * 10 ** (-25 / 20)
    # Two voices at most move at once: one leaves while another comes.
    assert np.abs(np.diff(gain)).max() <= 2 * largest / HOP + 1


def test_gain_ramps_over_one_hop_and_then_stands():
    mixer = StreamingMixer(Constant(), 20.0, reference=-20.0)
    out = mixer.process(np.zeros(3 * HOP, np.int16)).astype(float)
    target = 32768 * 10 ** (-40 / 20)
    np.testing.assert_allclose(out[:HOP], target * np.arange(1, HOP + 1) / HOP, atol=0.51)
    np.testing.assert_allclose(out[HOP:], target, atol=0.51)


def test_too_loud_saturates_and_is_counted():
    mixer = StreamingMixer("white", -40.0, reference=-20.0)
    out = mixer.process(np.zeros(16_000, np.int16))
    assert out.max() == 32767
    assert out.min() == -32768
    assert mixer.saturated > 10_000
    mixer.reset()
    assert mixer.saturated == 0


def test_the_seed_decides():
    speech = talk(1)
    first, second, other = (StreamingMixer("pink", 0.0, seed=s).process(speech) for s in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_bad_noise_is_one_sentence_and_keeps_the_old_one(tmp_path):
    mixer = StreamingMixer("white")
    old = mixer.noise
    with pytest.raises(KWScopeError, match="no noise 'rain'"):
        mixer.set_noise("rain")
    with pytest.raises(KWScopeError, match="no file"):
        mixer.set_noise(str(tmp_path / "gone.wav"))
    assert mixer.noise is old


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(9)
    (tmp_path / "cafe").mkdir()
    soundfile.write(tmp_path / "car.wav", 0.02 * rng.standard_normal(40_000), 16_000)
    soundfile.write(tmp_path / "cafe" / "bar.flac", 0.3 * rng.standard_normal((96_000, 2)).clip(-3, 3), 48_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    (tmp_path / "README.txt").write_text("no noise")
    return tmp_path


def test_recordings_by_name(folder, tmp_path_factory):
    assert list(recordings_in(folder)) == ["cafe/bar", "car", "silent"]
    with pytest.raises(KWScopeError, match="no noise folder"):
        recordings_in(folder / "absent")
    with pytest.raises(KWScopeError, match="holds no recordings"):
        recordings_in(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("name", ["car", "cafe/bar"])
def test_a_recording_repeats_at_rms_one_without_a_seam(folder, name):
    path = recordings_in(folder)[name]
    noise = open_noise(str(path), np.random.default_rng(1))
    assert noise.name == path.stem
    x = noise.read(200_000)
    assert np.sqrt(np.mean(x**2)) == pytest.approx(1, rel=0.01)
    local = np.sqrt(np.mean(x.reshape(-1, 1_600) ** 2, axis=1))
    assert local.min() > 0.85
    assert local.max() < 1.15
    other = RecordedNoise(path, np.random.default_rng(1))
    np.testing.assert_array_equal(np.concatenate([other.read(n) for n in (1, 70_000, 129_999)]), x)


def test_a_silent_recording_is_refused(folder):
    with pytest.raises(KWScopeError, match="is silent"):
        RecordedNoise(folder / "silent.wav", np.random.default_rng(0))
