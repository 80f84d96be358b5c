"""The ring against a model, and under two threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.ring import Ring

OPERATIONS = st.lists(
    st.tuples(st.sampled_from(("write", "read", "peek")), st.integers(0, 40)), min_size=1, max_size=60
)


@given(OPERATIONS, st.integers(1, 25), st.sampled_from((np.int16, np.float32)), st.integers(1, 3))
def test_behaves_like_a_bounded_list_that_refuses_the_newest(operations, capacity, dtype, channels):
    ring = Ring(capacity, dtype, channels)
    model: list[int] = []
    dropped = written = serial = 0
    for operation, n in operations:
        if operation == "write":
            frames = np.arange(serial, serial + n)
            serial += n
            data = frames.astype(dtype) if channels == 1 else np.repeat(frames[:, None], channels, 1).astype(dtype)
            fitted = ring.write(data)
            assert fitted == min(n, capacity - len(model))
            model += frames[:fitted].tolist()
            dropped += n - fitted
            written += fitted
        else:
            expected, model = model[:n], model[n:]
            if operation == "read":
                got = ring.read(n)
            else:
                first, second = ring.peek(n)
                assert first.base is not None  # views, not copies
                got = np.concatenate((first, second))
                ring.advance(len(got))
            assert got.dtype == dtype
            assert got.shape == ((len(expected),) if channels == 1 else (len(expected), channels))
            np.testing.assert_array_equal(got if channels == 1 else got[:, -1], expected)
        assert (len(ring), ring.dropped, ring.written) == (len(model), dropped, written)


def test_a_read_is_not_overwritten_by_later_writes():
    ring = Ring(8)
    ring.write(np.arange(6, dtype=np.int16))
    first, _ = ring.peek(4)
    ring.write(np.full(100, -1, dtype=np.int16))
    np.testing.assert_array_equal(first, np.arange(4))
    assert ring.dropped == 98


def test_advance_beyond_what_is_ready_is_refused():
    ring = Ring(4)
    ring.write(np.zeros(2, dtype=np.int16))
    with pytest.raises(ValueError, match="2 frames are ready"):
        ring.advance(3)


def test_two_threads_keep_order_and_count_every_frame():
    ring = Ring(1_000, np.float32)
    total, block = 200_000, 160
    done = threading.Event()

    def produce() -> None:
        for begin in range(0, total, block):
            ring.write(np.arange(begin, begin + block, dtype=np.float32))
        done.set()

    producer = threading.Thread(target=produce)
    producer.start()
    parts = []
    while not done.is_set() or len(ring):
        parts.append(ring.read())
    producer.join()
    heard = np.concatenate(parts)
    assert len(heard) + ring.dropped == total
    assert (np.diff(heard) >= 1).all()
