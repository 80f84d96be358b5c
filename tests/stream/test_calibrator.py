"""Calibration from what is heard: the noise and the SNR are measured right, the constants follow and come back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.level import rms_dbfs
from kwscore.audio.mixing import mix
from kwscore.audio.noise import PUBLISHED_NOISES, make_noise
from kwscore.constants import NOMINAL_SPEECH_DBFS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.models.calibration import PROFILES, values_for_snr
from kwscore.stream import StreamEngine
from kwscore.stream.calibrator import SECOND_BELOW_ACTIVE_DB, CalibrationRecord, Calibrator, NoiseMeter, NoiseProfile
from kwscore.stream.pcm import to_pcm
from tests.stream.nets import DUAL, random_net


def word(level: float = 0.1) -> np.ndarray:
    """A second that holds a chirp under an envelope, float32."""
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return np.asarray(level * np.sin(2 * np.pi * (300 + 900 * t) * t) * np.exp(-(((t - 0.5) / 0.15) ** 2)), np.float32)


def noise_and_word(kind: str, snr_db: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A second of noise alone, and the word in the next second of the same noise: int16."""
    noise = make_noise(kind, 2 * SAMPLE_RATE, np.random.default_rng(seed)).astype(np.float32)
    clip = word()
    mixed = mix(clip, noise[SAMPLE_RATE:], snr_db)
    alone = noise[:SAMPLE_RATE] * ((mixed - clip) @ noise[SAMPLE_RATE:] / (noise[SAMPLE_RATE:] @ noise[SAMPLE_RATE:]))
    return to_pcm(alone), to_pcm(mixed)


def measured(samples: np.ndarray) -> NoiseProfile:
    meter = NoiseMeter()
    meter.add(samples)
    return meter.profile()


@pytest.mark.parametrize("kind", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 5.0, 15.0])
def test_snr_of_a_word_in_steady_noise(kind: str, snr_db: float) -> None:
    silence, second = noise_and_word(kind, snr_db)
    assert measured(silence).snr_db(second) == pytest.approx(snr_db, abs=1.0)


@pytest.mark.parametrize("kind", PUBLISHED_NOISES)
def test_noise_alone_has_little_snr(kind: str) -> None:
    """Steady noises: the spectrum's own scatter is all that is left. Bursts and talkers do come and go."""
    noise = to_pcm(make_noise(kind, 2 * SAMPLE_RATE, np.random.default_rng(3)) * 0.1)
    snr = measured(noise[:SAMPLE_RATE]).snr_db(noise[SAMPLE_RATE:])
    assert snr < (-6.0 if kind in ("white", "pink") else 5.0)


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=8), st.integers(0, 9))
def test_chunks_do_not_matter(sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-3000, 3000, 2 * SAMPLE_RATE // 3).astype(np.int16)
    meter, position = NoiseMeter(), 0
    for size in [*sizes, len(samples)]:
        meter.add(samples[position : position + size])
        position += size
    whole, parts = measured(samples), meter.profile()
    np.testing.assert_allclose(parts.spectrum, whole.spectrum, rtol=1e-9)
    assert (parts.seconds, parts.level_dbfs) == pytest.approx((whole.seconds, whole.level_dbfs))
    assert parts.unsteadiness_db == pytest.approx(whole.unsteadiness_db)


def test_level_is_that_of_the_samples_and_a_bang_is_no_silence() -> None:
    rng = np.random.default_rng(1)
    hiss = to_pcm(0.01 * rng.standard_normal(SAMPLE_RATE))
    profile = measured(hiss)
    assert profile.level_dbfs == pytest.approx(rms_dbfs(hiss), abs=0.3)
    assert profile.seconds == pytest.approx(0.992)
    assert profile.steady
    assert not measured(np.concatenate((hiss, to_pcm(word(0.5))))).steady
    quiet = measured(np.zeros(SAMPLE_RATE, np.int16))
    assert quiet.steady
    assert quiet.level_dbfs == -120.0
    assert quiet.snr_db(to_pcm(word())) == 25.0


def test_apply_heard_and_undo_on_a_running_engine() -> None:
    engine, untouched = StreamEngine(random_net(DUAL)), StreamEngine(random_net(DUAL))
    silence, second = noise_and_word("white", 0.0)
    before = engine.calibration
    calibrator = Calibrator(engine)
    for part in np.array_split(silence, 7):
        engine.process(part)
        untouched.process(part)
        calibrator.add(part)
    record = calibrator.apply()
    expected = NOMINAL_SPEECH_DBFS - SECOND_BELOW_ACTIVE_DB - rms_dbfs(silence)
    assert record.snr_db == pytest.approx(np.clip(expected, -20, 25), abs=0.3)
    assert record.snr_from == "speech level"
    np.testing.assert_allclose(engine.calibration, [values_for_snr(record.snr_db, "v1")] * 2, rtol=1e-6)
    different = [r.logits for r in engine.process(second)], [r.logits for r in untouched.process(second)]
    assert not np.array_equal(*different)
    heard = calibrator.heard(second)
    assert (heard.snr_from, heard.before) == ("heard", record.before)
    assert heard.snr_db == pytest.approx(0.0, abs=1.0)
    calibrator.undo()
    np.testing.assert_array_equal(engine.calibration, before)
    assert calibrator.record is None
    for one in (engine, untouched):  # as if nothing had been
        one.reset()
    np.testing.assert_array_equal(engine.process(second)[-1].logits, untouched.process(second)[-1].logits)


def test_engine_follows_the_torch_network() -> None:
    from kwscore.models.calibration import set_calibration

    net = random_net("NC-SSM")
    engine = StreamEngine(net)
    engine.calibration = np.tile(np.asarray(PROFILES["v2"]["extreme"], np.float32), (2, 1))
    set_calibration(net, "extreme")
    samples = to_pcm(word())
    np.testing.assert_array_equal(engine.process(samples)[-1].logits, StreamEngine(net).process(samples)[-1].logits)


def test_profiles_and_the_record() -> None:
    engine = StreamEngine(random_net("NC-SSM"))
    calibrator = Calibrator(engine, law="profile")
    calibrator.add(noise_and_word("pink", 0.0)[0])
    record: CalibrationRecord = calibrator.apply(12.0)
    assert (record.profile, record.snr_from, record.snr_db) == ("light", "given", 12.0)
    assert record.after[0] == pytest.approx(PROFILES["v2"]["light"])
    plain = json.loads(json.dumps(record.to_dict()))
    assert plain["before"][0] == pytest.approx(PROFILES["v2"]["default"])
    assert len(plain["noise"]["spectrum_dbfs"]) == 257
    assert plain["model_hash"] == engine.model_hash


def test_what_cannot_be_calibrated_is_said() -> None:
    engine = StreamEngine(random_net(DUAL))
    calibrator = Calibrator(engine)
    with pytest.raises(KWScopeError, match=r"at least 0\.3 s"):
        calibrator.apply()
    calibrator.add(np.zeros(SAMPLE_RATE, np.int16))
    with pytest.raises(KWScopeError, match="at least 512 samples"):
        calibrator.heard(np.zeros(100, np.int16))
    with pytest.raises(KWScopeError, match="no calibration law 'best'"):
        Calibrator(engine, law="best")  # type: ignore[arg-type]
    with pytest.raises(KWScopeError, match="no state-space model"):
        Calibrator(StreamEngine(random_net("NC-TCN-20K")))
    with pytest.raises(KWScopeError, match="only the float engine"):
        Calibrator(object())  # type: ignore[arg-type]
    for wrong in (np.zeros((3, 5)), np.full((2, 5), np.nan)):
        with pytest.raises(KWScopeError, match="2 rows of five finite numbers"):
            engine.calibration = wrong
