"""The layer list: what the core computes for one frame, as a program for any sizes (docs/fixed_point.md)."""

from __future__ import annotations

from typing import Any

from kwscore.fixed import layout as at
from rtl.tools import isa, memory
from rtl.tools.asm import ZERO, Assembler, At, vec
from rtl.tools.isa import ADD, MUL
from rtl.tools.sections import classifier, norm, pcen, router, snr, ssm, start, stft


class Builder(Assembler):
    """Emits the program for one set of sizes."""

    def __init__(self, sizes: at.Sizes) -> None:
        super().__init__()
        if sizes.front != at.FRONT_DUAL:
            raise ValueError("the core runs DualPCEN networks")
        if sizes.channels > 31:
            raise ValueError(
                "rows of more than 31 channels could leave the 32-bit accumulator, which never saturates here"
            )
        self.sizes = sizes
        self.fields = memory.image_fields(sizes)
        if self.fields["end"].byte > isa.LITERAL_BYTE:
            raise ValueError("the image does not fit under the literals")
        self.m: dict[str, int] = {}
        self.out_words: dict[str, int] = {}
        self.out_at: dict[str, int] = {}
        memory.allocate(self)
        self.entry("INIT")
        start.init(self)
        self.stop()
        self.entry("FRAME")
        self._front_end()
        self.entry("FEATURES")  # a frame whose normed features and SNR are given: FRAME runs on into it
        self._network()
        self.stop()

    def _front_end(self) -> None:
        start.counters(self)
        stft.spectrum(self)
        stft.magnitude(self)
        snr.noise_floor(self)
        snr.bands(self)
        pcen.band_energy(self)
        router.gate(self)
        for expert in range(2):
            pcen.expert(self, expert)
        router.blend(self)
        norm.running_norm(self)

    def _network(self) -> None:
        start.pool_counters(self)
        snr.sum_up(self)
        ssm.project(self)
        for layer in range(self.sizes.layers):
            ssm.block(self, layer)
        classifier.classify(self)

    # ---- what the sections are written with -----------------------------------------------------------------------
    def const(self, name: str, *index: int, so: int = 0, si: int = 0) -> At:
        """32-bit constant(s) of the image; strides in words."""
        byte, shape = self.fields["c_" + name]
        offset = 0
        for i, length in enumerate(shape):
            offset = offset * length + (index[i] if i < len(index) else 0)
        return At(isa.B_WORD, byte + 4 * offset, 4 * si, 4 * so)

    def scalar(self, index: int) -> At:
        """One of the image's scalars."""
        return self.const("scalar", index)

    def set(self, name: str, a: At, alu: int, b: At, **more: Any) -> None:
        """The scalar ``name``, in both banks."""
        self.op(name, a, alu, b, vec(self.m[name]), d_both=1, **more)

    def fill(self, label: str, base: int, words: int, value: At = ZERO) -> None:
        """``words`` words from ``base`` get ``value``, or one value each where it has a stride."""
        while words:  # the counters hold 1024
            part = min(words, 1024)
            self.op(label, ZERO, ADD, value, vec(base), n=part, func=isa.ZERO)
            base += part
            words -= part

    def load_shift(self, label: str, b: At) -> None:
        """Shift register := b."""
        self.op(label, ZERO, ADD, b, None, func=isa.ZERO, sh_we=1)

    def rows(
        self, label: str, matrix: str, first: tuple[int, ...], count: int, a: int, d: At, sat: str = "none"
    ) -> None:
        """``count`` matrix rows from ``first`` on times the vector at ``a``, each shifted right by its own amount."""
        byte, shape = self.fields["w_" + matrix]
        row = 0
        for i, length in enumerate(shape[:-1]):
            row = row * length + (first[i] if i < len(first) else 0)
        width = shape[-1]
        self.op(
            label,
            vec(a, si=1, so=1 - width),
            MUL,
            At(isa.B_BYTE, byte + row * width, 1, 1),
            d,
            n=count,
            inner=width,
            row_en=1,
            aux=self.fields["s_" + matrix].byte + row,
            sat=sat,
        )
