"""The microphone's states on a device that does as it is told: overflow, drops, stall, loss, hang, slow opening."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from kwscore.audio import devices, microphone
from kwscore.audio.devices import PortAudio, list_devices, rescan
from kwscore.audio.microphone import Microphone
from kwscore.audio.source import Source, SourceState
from kwscore.errors import KWScopeError
from tests.audio.clock import FakeClock
from tests.audio.fake_sound import FakeSound, PortAudioError

BLOCK = np.arange(160)


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for another thread; fails only if it never comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def sound() -> Iterator[FakeSound]:
    sound = FakeSound()
    yield sound
    sound.opening.set()
    sound.closing.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(sound: FakeSound, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Microphone]]:
    monkeypatch.setattr(microphone, "RETRY", 0.01)
    monkeypatch.setattr(microphone, "_WATCH", 0.002)
    made: list[Microphone] = []
    audio = PortAudio(sound)

    def build(device: str | None = None) -> Microphone:
        made.append(Microphone(device, audio=audio, clock=clock, sleep=clock.sleep))
        return made[-1]

    yield build
    sound.opening.set()
    sound.closing.set()
    for each in made:
        each.stop()


def test_16_khz_mono_arrives_untouched(make, sound):
    mic = make()
    assert isinstance(make(), Source)
    assert (mic.name, mic.live, mic.status().state) == ("Default microphone", True, SourceState.IDLE)
    assert len(mic.read(1.0)) == 0
    mic.start()
    mic.start()
    assert len(sound.streams) == 1
    asked = {key: sound.streams[0].options[key] for key in ("samplerate", "channels", "dtype", "blocksize")}
    assert asked == {"samplerate": 16_000, "channels": 1, "dtype": "int16", "blocksize": 160}
    assert mic.device.id == "ALSA: Built-in"
    sound.streams[0].push(BLOCK)
    sound.streams[0].push(BLOCK + 160)
    np.testing.assert_array_equal(mic.read(), np.arange(320))
    assert mic.status().position == 320
    assert mic.status().state is SourceState.RUNNING
    mic.stop()
    assert sound.streams[0].closed
    assert mic.status().state is SourceState.IDLE


def test_reads_deliver_whole_hops_and_wait_no_longer_than_asked(make, sound, clock):
    mic = make()
    mic.start()
    sound.streams[0].push(BLOCK[:100])
    before = clock.slept
    assert len(mic.read(0.05)) == 0
    assert clock.slept - before == pytest.approx(0.05)
    sound.streams[0].push(BLOCK[:100])
    assert len(mic.read()) == 200


def test_another_rate_and_more_channels_are_resampled(make, sound):
    sound.accepts = lambda rate, channels: rate == 48_000 and channels == 2
    mic = make("ALSA: Built-in")
    mic.start()
    assert sound.streams[0].options["dtype"] == "float32"
    assert sound.streams[0].options["blocksize"] == 480
    t = np.arange(48_000) / 48_000
    x = 0.5 * np.sin(2 * np.pi * 440 * t)
    for part in np.split(np.stack((x, x), 1), 100):
        sound.streams[0].push(part)
    y = mic.read()
    assert 15_500 <= len(y) <= 16_000
    spectrum = np.abs(np.fft.rfft(y[1_000:9_000] * np.hanning(8_000)))
    assert spectrum.argmax() == 220
    assert np.abs(y[1_000:]).max() == pytest.approx(16_384, rel=0.01)
    assert mic.status().native_rate == 48_000


def test_overflow_flags_and_drops_are_counted(make, sound):
    mic = make()
    mic.start()
    stream = sound.streams[0]
    stream.push(BLOCK, overflow=True)
    stream.push(BLOCK)
    stream.push(BLOCK, overflow=True)
    for _ in range(420):  # 4.2 s without a reader; the ring holds 4 s
        stream.push(BLOCK)
    status = mic.status()
    assert status.overflows == 2
    assert status.dropped == 423 * 160 - 64_000
    assert len(mic.read()) == 64_000  # the oldest were kept
    assert mic.status().state is SourceState.RUNNING


def test_stalls_after_300_ms_and_resumes_by_itself(make, sound, clock):
    mic = make()
    mic.start()
    clock.advance(1.9)  # a device may take its time for the first block
    assert mic.status().state is SourceState.RUNNING
    sound.streams[0].push(BLOCK)
    clock.advance(0.29)
    assert mic.status().state is SourceState.RUNNING
    clock.advance(0.02)
    assert mic.status().state is SourceState.STALLED
    assert mic.status().message.endswith("delivers no sound at the moment: check the sound server.")
    sound.streams[0].push(BLOCK)
    assert mic.status().state is SourceState.RUNNING
    assert mic.status().message == ""
    assert len(sound.streams) == 1


def test_a_long_stall_renews_the_stream(make, sound, clock):
    mic = make()
    mic.start()
    sound.streams[0].push(BLOCK)
    clock.advance(5.1)
    until(lambda: len(sound.streams) == 2)
    until(lambda: mic.status().state is SourceState.RUNNING)
    assert sound.streams[0].closed
    sound.streams[1].push(BLOCK + 1)
    np.testing.assert_array_equal(mic.read(), np.concatenate((BLOCK, BLOCK + 1)))


def test_a_lost_device_is_reopened_by_name_when_it_returns(make, sound):
    mic = make("JACK: Studio")
    mic.start()
    assert sound.streams[0].options["device"] == 2
    sound.streams[0].push(BLOCK, overflow=True)
    sound.pending_inputs = [("ALSA", "Built-in", 2, 48_000)]
    sound.streams[0].vanish()
    assert mic.status().state is SourceState.LOST
    assert "JACK: Studio went away" in mic.status().message
    before = sound.initialisations
    until(lambda: sound.initialisations > before + 3)  # it keeps trying
    assert mic.status().state is SourceState.LOST
    sound.pending_inputs = [("JACK", "Studio", 8, 96_000), ("ALSA", "Built-in", 2, 48_000)]  # another index now
    until(lambda: mic.status().state is SourceState.RUNNING)
    assert sound.streams[-1].options["device"] == 1
    sound.streams[-1].push(BLOCK + 160, overflow=True)
    np.testing.assert_array_equal(mic.read(), np.arange(320))
    assert mic.status().overflows == 2  # counted over both streams


def test_a_device_that_returns_at_another_rate_goes_on(make, sound):
    mic = make()
    mic.start()
    sound.streams[0].push(BLOCK)
    sound.accepts = lambda rate, channels: rate == 48_000
    sound.streams[0].vanish()
    until(lambda: mic.status().native_rate == 48_000)
    for _ in range(100):
        sound.streams[-1].push(np.full(480, 0.25))
    y = mic.read()
    np.testing.assert_array_equal(y[:160], BLOCK)
    assert y[-100:] == pytest.approx(8_192, abs=2)


def test_stop_returns_though_closing_hangs_and_the_next_start_says_so(make, sound, monkeypatch):
    monkeypatch.setattr(microphone, "DEADLINE", 0.2)
    mic = make()
    mic.start()
    sound.closing.clear()
    began = time.monotonic()
    mic.stop()
    assert time.monotonic() - began < 2
    assert mic.status().state is SourceState.IDLE
    with pytest.raises(KWScopeError, match="did not open within"):
        mic.start()
    sound.closing.set()
    until(lambda: sound.streams[0].closed)
    mic.start()
    assert mic.status().state is SourceState.RUNNING
    assert sum(not stream.closed for stream in sound.streams) == 1


def test_a_second_stop_waits_for_the_first(make, sound):
    mic = make()
    mic.start()
    sound.closing.clear()
    first = threading.Thread(target=mic.stop)
    first.start()
    while mic.status().state is not SourceState.IDLE:  # until the first has begun
        pass
    threading.Timer(0.05, sound.closing.set).start()
    mic.stop()
    assert sound.open_now == 0
    first.join()


def test_opening_slowly_is_given_up_and_cleaned_up_afterwards(make, sound, monkeypatch):
    monkeypatch.setattr(microphone, "DEADLINE", 0.05)
    mic = make()
    sound.opening.clear()
    with pytest.raises(KWScopeError, match="did not open within"):
        mic.start()
    assert mic.status().state is SourceState.IDLE
    sound.opening.set()
    until(lambda: sound.streams and sound.streams[0].closed)


def test_reopening_that_hangs_is_told_apart(make, sound, clock):
    mic = make()
    mic.start()
    sound.opening.clear()
    sound.streams[0].vanish()
    until(lambda: sound.streams[0].closed)
    until(lambda: mic._run.trying_since is not None)
    clock.advance(10)
    assert mic.status().state is SourceState.LOST
    assert "server hangs" in mic.status().message
    began = time.monotonic()
    mic.stop()
    assert time.monotonic() - began < 2
    sound.opening.set()
    until(lambda: sound.open_now == 0)


def test_wait_delivering(make, sound, clock):
    mic = make()
    assert not mic.wait_delivering(0.1)
    mic.start()
    assert not mic.wait_delivering(0.1)
    sound.streams[0].push(BLOCK)
    assert mic.wait_delivering(0.1)


def test_a_device_plugged_in_since_is_found_at_start(make, sound):
    sound.pending_inputs = [*sound.inputs, ("ALSA", "USB mic (hw:2,0)", 1, 44_100)]
    mic = make("ALSA: USB mic (hw:1,0)")  # as settings kept it: the card number has changed
    mic.start()
    assert mic.device.name == "USB mic (hw:2,0)"


@pytest.mark.parametrize(
    ("change", "device", "message"),
    [
        (lambda s: setattr(s, "inputs", []), None, "No microphone was found"),
        (lambda s: None, "ALSA: Gone", "no input device 'ALSA: Gone'.*choose one of: ALSA: Built-in; JACK: Studio"),
        (lambda s: setattr(s, "accepts", lambda *_: False), None, r"Built-in cannot be opened \(Invalid sample rate\)"),
        (lambda s: setattr(s, "broken", PortAudioError("Host error.")), None, r"cannot list devices \(Host error\)"),
        (lambda s: setattr(s, "broken", RuntimeError("driver")), None, r"cannot be opened \(driver\)"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(make, sound, change, device, message):
    change(sound)
    mic = make(device)
    with pytest.raises(KWScopeError, match=message) as caught:
        mic.start()
    assert "\n" not in str(caught.value)
    assert mic.status().state is SourceState.IDLE


def test_devices_are_listed_default_first_and_twins_told_apart(sound):
    sound.inputs += [("JACK", "Studio", 1, 44_100)]
    listed = list_devices(PortAudio(sound))
    assert [d.id for d in listed] == ["ALSA: Built-in", "JACK: Studio", "JACK: Studio #2"]
    assert [d.default for d in listed] == [True, False, False]
    assert PortAudio(sound).find("JACK: Studio #2").index == 3
    assert PortAudio(sound).find("Studio").index == 2
    assert PortAudio(sound).find("built").index == 1


def test_rescan_finds_new_devices_only_while_nothing_is_open(make, sound):
    mic = make()
    audio = mic._audio
    sound.pending_inputs = [("ALSA", "New", 1, 16_000)]
    mic.start()
    with pytest.raises(KWScopeError, match="stop it first"):
        rescan(audio)
    mic.stop()
    assert [d.id for d in rescan(audio)] == ["ALSA: New"]


def test_a_list_that_hangs_is_one_sentence(sound, monkeypatch):
    released = threading.Event()
    audio = PortAudio(sound)
    monkeypatch.setattr(sound, "query_hostapis", lambda: released.wait(30))
    with pytest.raises(KWScopeError, match="did not answer"):
        devices.with_deadline(audio.devices, 0.05)
    released.set()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("PortAudio library not found"), "libportaudio2"),
        (ModuleNotFoundError("No module named 'sounddevice'"), "pip install sounddevice"),
        (RuntimeError("Error initializing PortAudio: x."), r"cannot be started \(Error initializing PortAudio: x\)"),
    ],
)
def test_a_missing_library_is_one_sentence(monkeypatch, error, message):
    real = builtins.__import__

    def fail(name: str, *arguments: object, **keywords: object) -> object:
        if name == "sounddevice":
            raise error
        return real(name, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(KWScopeError, match=message):
        PortAudio().devices()


def test_the_library_is_imported_only_when_a_device_is_wanted():
    code = (
        "import sys, kwscore.audio.microphone, kwscore.audio.playlist, kwscore.audio.mixing;"
        "kwscore.audio.microphone.Microphone();"
        "print(sorted({'sounddevice', 'soundfile', 'torch', 'numba', 'scipy', 'PySide6'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_channels_that_cancel_are_said_and_the_first_is_heard(make, sound):
    """One channel inverted, a common wiring fault: the mean would be silence."""
    sound.accepts = lambda rate, channels: channels == 2
    mic = make()
    mic.start()
    (stream,) = sound.streams
    assert (stream.options["channels"], stream.options["samplerate"]) == (2, 48_000)
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    for at in range(0, len(tone), 480):
        stream.push(np.stack((tone[at : at + 480], -tone[at : at + 480]), axis=1))
    heard = mic.read().astype(float) / 32768
    status = mic.status()
    assert status.state is SourceState.RUNNING
    assert status.message == "The channels of Default microphone cancel each other: only the first is used."
    assert np.sqrt(2 * np.mean(heard[-3200:] ** 2)) == pytest.approx(0.25, rel=0.01)


def test_channels_that_agree_are_not_remarked_upon(make, sound):
    sound.accepts = lambda rate, channels: channels == 2
    mic = make()
    mic.start()
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    for at in range(0, len(tone), 480):
        sound.streams[0].push(np.stack((tone[at : at + 480], tone[at : at + 480] / 2), axis=1))
    mic.read()
    assert mic.status().message == ""
