"""What a host says to a device, over any line: weights, audio, and every result against the integer engine."""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np
from expect import check_body
from numpy.typing import NDArray

from kwscore.board import protocol as p
from kwscore.board.framing import Frame
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image

HOP = 160


class Session:
    """One device behind a ``line``: ``await line.send(data)`` and ``await line.frame()``, the next frame it sends."""

    def __init__(self, line: Any, image: Image) -> None:
        self.line = line
        self.image = image
        self.engine = FixedEngine(image)
        self.info: p.Info | None = None
        self.mask = p.FULL_MASK
        self.index = 0
        self.worst = 0
        self.logits: NDArray[np.int16] = np.zeros(0, np.int16)
        self._seq = 0

    async def tell(self, message: Any) -> None:
        """Send without waiting."""
        self._seq = (self._seq + 1) & 0xFFFF
        await self.line.send(p.to_wire(message, self._seq))

    async def ask(self, message: Any) -> Any:
        """Send; returns the answer, which must be to this message."""
        await self.tell(message)
        frame: Frame = await self.line.frame()
        assert frame.seq == self._seq
        return p.parse_answer(frame)

    async def hello(self) -> p.Info:
        """What the device is."""
        self.info = await self.ask(p.Hello())
        assert isinstance(self.info, p.Info), self.info
        return self.info

    async def load(self) -> None:
        """All weights, and COMMIT; INFO names them afterwards."""
        raw = self.image.to_bytes()
        for at in range(0, len(raw), p.WEIGHT_BLOCK):
            block = raw[at : at + p.WEIGHT_BLOCK]
            answer = await self.ask(p.LoadWeights(at, block))
            assert answer.detail == at + len(block), answer
        commit = p.Commit(len(raw), binascii.crc32(raw), self.image.model_id)
        answer = await self.ask(commit)
        assert isinstance(answer, p.Ack), answer
        assert (await self.hello()).model_id == self.image.model_id

    async def reset(self) -> None:
        """Stream state of both sides."""
        assert isinstance(await self.ask(p.Reset()), p.Ack)
        self.engine.reset()
        self.index = 0

    async def mode(self, mask: p.Mask) -> None:
        """Fields of the results to come."""
        answer = await self.ask(p.SetMode(1, mask))
        assert isinstance(answer, p.Ack), answer
        self.mask = mask

    async def hops(self, pcm: NDArray[np.int16], ahead: int = 3) -> None:
        """Stream whole hops, ``ahead`` of them unanswered, and compare every result."""
        waiting: list[NDArray[np.int16]] = []
        for hop in pcm.reshape(-1, HOP):
            await self.tell(p.PcmFrame(self.index + HOP * len(waiting), hop.astype("<i2").tobytes()))
            waiting.append(hop)
            if len(waiting) == ahead:
                await self._result(waiting.pop(0))
        for hop in waiting:
            await self._result(hop)

    async def _result(self, hop: NDArray[np.int16]) -> None:
        result = p.parse_answer(await self.line.frame())
        assert isinstance(result, p.Result), result
        assert result.index == self.index
        self.index += HOP
        self.worst = max(self.worst, result.cycles)
        out = self.engine.outputs(hop)
        if not len(out.logits):
            assert result.flags == p.Flag.WARMUP
            return
        assert result.flags == p.Flag.FULL
        self.logits = out.logits[-1]
        check_body(result.body, out, self.mask)


def audio(hops: int, seed: int) -> NDArray[np.int16]:
    """Noise of many levels with silence and clipping in between."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.uniform(0.0, 11.0, hops)).repeat(HOP)
    level[(rng.random(hops) < 0.2).repeat(HOP)] = 0.0
    return (rng.standard_normal(hops * HOP) * level).clip(-32768, 32767).astype(np.int16)
