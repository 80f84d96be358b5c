"""The layer list: what the core computes for one frame, as a program for any sizes (docs/fixed_point.md)."""

from __future__ import annotations

from typing import Any, NamedTuple

from kwscore.constants import CLIP_FRAMES, N_CLASSES, N_FREQ, N_MELS, WINDOW
from kwscore.fixed import features as feat
from kwscore.fixed import frontend as front
from kwscore.fixed import layout as at
from kwscore.fixed.image import HEADER
from kwscore.models.constants import ANCHOR_BLOCK, ANCHOR_FRAMES
from rtl.tools import isa
from rtl.tools.asm import SAME, ZERO, Assembler, At, R, one, vec
from rtl.tools.isa import (
    ADD,
    BANK,
    BITS,
    EXP,
    LOG2,
    LOWER,
    MANT,
    MAX,
    MAXABS,
    MIN,
    MUL,
    NORM,
    PASS,
    REVERSED,
    RSUB,
    SIGMA,
    SOFTPLUS,
    SPLIT,
    SUB,
    UPPER,
    WRAP,
)

Y = BANK
_BINS, _BANDS = N_FREQ, N_MELS
STAGES = 9


class Field(NamedTuple):
    """Where a field of the image starts (byte) and its shape without the element size."""

    byte: int
    shape: tuple[int, ...]


def image_fields(sizes: at.Sizes) -> dict[str, Field]:
    """Byte addresses inside an image of these sizes: ``w_``, ``s_`` and ``c_`` fields, and ``end``."""
    fields: dict[str, Field] = {}
    byte = HEADER.size
    matrices = at.matrix_shapes(sizes)
    groups = (
        ("w_", matrices, 1),
        ("s_", {key: shape[:-1] for key, shape in matrices.items()}, 1),
        ("c_", at.constant_shapes(sizes), 4),
    )
    for prefix, shapes, size in groups:
        for name, shape in shapes.items():
            fields[prefix + name] = Field(byte, shape)
            count = 1
            for length in shape:
                count *= length
            byte += count * size
        byte += -byte % 4
    fields["end"] = Field(byte, ())
    return fields


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
        self.fields = image_fields(sizes)
        if self.fields["end"].byte > isa.LITERAL_BYTE:
            raise ValueError("the image does not fit under the literals")
        self._allocate()
        self._init()
        self._frame()

    # ---- operands -----------------------------------------------------------------------------------------------
    def const(self, name: str, *index: int, so: int = 0, si: int = 0) -> At:
        """32-bit constant(s) of the image; strides in words."""
        byte, shape = self.fields["c_" + name]
        offset = 0
        for i, length in enumerate(shape):
            offset = offset * length + (index[i] if i < len(index) else 0)
        return At(isa.B_WORD, byte + 4 * offset, 4 * si, 4 * so)

    def scalar(self, index: int) -> At:
        return self.const("scalar", index)

    def load_shift(self, label: str, b: At) -> None:
        """Shift register := b."""
        self.op(label, ZERO, ADD, b, None, func=isa.ZERO, sh_we=1)

    def rows(
        self, label: str, matrix: str, first: tuple[int, ...], count: int, a: int, d: At, sat: str = "none"
    ) -> None:
        """Matrix rows times the vector at ``a``, each shifted right by its own amount."""
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

    # ---- memory -------------------------------------------------------------------------------------------------
    def _allocate(self) -> None:
        s = self.sizes
        m: dict[str, int] = {}
        self.m = m

        def both(name: str, words: int) -> None:
            m[name] = self.alloc_both(name, words)

        def x(name: str, words: int) -> None:
            m[name] = self.alloc(name, words, "x")

        def y(name: str, words: int) -> None:
            m[name] = self.alloc(name, words, "y")

        both("re", WINDOW)  # real parts in X, imaginary parts in Y at the same place
        m["im"] = m["re"] + Y
        x("pcm", WINDOW)  # WRAP needs it at a multiple of 512
        y("tr", WINDOW // 2 + 1)
        both("bin", _BINS)  # exponent of a bin; later scratch
        both("energy", _BANDS)
        both("log_energy", _BANDS)
        both("diff", _BANDS)
        channels, states, d = s.channels, s.states, s.d
        both("proj", 2 * states + 1)
        for name in ("c_five", "c_pool", "c_k", "slot_ring", "slot_pool", "block_left", "r_five", "r_k", "r_pool"):
            both(name, 1)
        for name in ("gain", "fall", "flat", "tilt", "indicator", "gate", "p", "q", "mu", "ss", "inv", "phi", "eps"):
            both(name, 1)
        x("ti", WINDOW // 2 + 1)
        # Places that are free again after the spectrum, or after the noise floor
        m["low1"], m["anchor"], m["ratio"], m["total"], m["mag"] = m["tr"], m["ti"], m["tr"], m["im"], m["re"]
        spare = [[m["re"] + _BINS, WINDOW - _BINS], [m["ti"], _BINS], [m["bin"], _BINS]]

        def late(name: str, words: int) -> None:
            """In X, used only behind the noise floor."""
            for place in spare:
                if place[1] >= words:
                    m[name] = place[0]
                    place[0] += words
                    place[1] -= words
                    return
            x(name, words)

        x("current", _BINS)
        y("floor", _BINS)
        y("previous", _BINS)
        y("ring", ANCHOR_FRAMES * _BINS)
        for name in ("mel", "mel_ratio", "snr", "feature", "tx", "ux", "expert1", "normed"):
            late(name, _BANDS)
        for name in ("envelope0", "envelope1", "expert0", "mean", "var", "ty", "uy"):
            y(name, _BANDS)
        late("stream", d)
        late("dx", d)
        y("norm_out", d)
        for layer in range(s.layers):
            x(f"past{layer}", 3 * channels)  # inputs of the convolution at t-2, t-1, t
            x(f"hidden{layer}", states * channels)
        for name in ("z", "u", "delta", "y", "v"):
            late(name, channels)
        y("conv", channels)
        y("modulation", states + 1)
        y("gated", states)
        y("vy", max(2 * channels, states * channels, _BANDS))
        late("vx", states * channels)
        y("wy", states * channels)
        y("decay", states * channels)
        y("pool_sum", d)
        late("pooled", d)
        for name in ("sum_logs", "t0", "t1", "snr_sum"):
            x(name, 1)
        # What a RESULT sends, 16-bit words in the order of the mask.
        self.out_words = {
            "logits": N_CLASSES,
            "routing": 2,
            "snr": _BANDS,
            "mel": _BANDS,
            "delta": s.layers * channels,
        }
        self.out_at = {}
        y("out", sum(self.out_words.values()))
        at_word = m["out"]
        for name, words in self.out_words.items():
            self.out_at[name] = at_word
            at_word += words
        x("pool", CLIP_FRAMES * d)

    # ---- start --------------------------------------------------------------------------------------------------
    def _fill(self, label: str, base: int, words: int, value: At = ZERO) -> None:
        while words:  # the counters hold 1024
            part = min(words, 1024)
            self.op(label, ZERO, ADD, value, vec(base), n=part, func=isa.ZERO)
            base += part
            words -= part

    def _init(self) -> None:
        m, s = self.m, self.sizes
        self.entry("INIT")
        self._fill("ring", m["ring"], ANCHOR_FRAMES * _BINS)
        self._fill("pool", m["pool"], CLIP_FRAMES * s.d)
        self._fill("pool_sum", m["pool_sum"], s.d)
        for layer in range(s.layers):
            self._fill("past", m[f"past{layer}"], 3 * s.channels)
            self._fill("hidden", m[f"hidden{layer}"], s.states * s.channels)
        self._fill("current", m["current"], _BINS, self.lit(at.NO_MINIMUM))
        self._fill("previous", m["previous"], _BINS, self.lit(at.NO_MINIMUM))
        self._fill("mean", m["mean"], _BANDS, self.const("norm", 0, so=1))
        self._fill("var", m["var"], _BANDS, self.const("norm", 1, so=1))
        for name, value in (
            ("c_five", 0),
            ("c_pool", 0),
            ("slot_ring", 0),
            ("slot_pool", 0),
            ("block_left", ANCHOR_BLOCK),
        ):
            self._set(name, ZERO, ADD, self.lit(value), func=isa.ZERO)
        self._set("c_k", ZERO, ADD, self.scalar(at.NORM_PRIOR), func=isa.ZERO)
        self.stop()

    def _set(self, name: str, a: At, alu: int, b: At, **more: Any) -> None:
        """One scalar, in both banks."""
        self.op(str(more.pop("label", name)), a, alu, b, vec(self.m[name]), d_both=1, **more)

    # ---- one frame ----------------------------------------------------------------------------------------------
    def _frame(self) -> None:
        self.entry("FRAME")
        self._counters()
        self._spectrum()
        self._front()
        self._features()
        self._norm()
        s, m = self.sizes, self.m
        self.rows("row", "project", (), s.d, m["normed"], vec(m["vy"]))
        self.op("x0", vec(m["vy"]), ADD, self.const("project_bias", so=1), vec(m["stream"]), n=s.d, sat="s24")
        for layer in range(s.layers):
            self._block(layer)
        self._head()
        self.stop()

    def _counters(self) -> None:
        """min(t+1, 5), min(t+1, 97), k, slots and the anchor's block."""
        m = self.m
        for name, limit in (
            ("c_five", self.lit(ANCHOR_FRAMES + 1)),
            ("c_pool", self.lit(CLIP_FRAMES)),
            ("c_k", self.scalar(at.NORM_HORIZON)),
        ):
            # c_five counts to 6: frame 5 is the first that follows the minima.
            self._set(name, one(m[name]), ADD, self.lit(1))
            self._set(name, one(m[name]), MIN, limit)
        for name, step, slots in (("slot_ring", _BINS, ANCHOR_FRAMES), ("slot_pool", self.sizes.d, CLIP_FRAMES)):
            self._set(name, one(m[name]), SUB, self.lit(step), set_flag=1)
            self._set(name, ZERO, ADD, self.lit(step * (slots - 1)), func=isa.ZERO, cond=isa.IF_NEGATIVE)
        self._set("r_five", one(m["c_five"]), MIN, self.lit(ANCHOR_FRAMES))
        self._set("r_five", one(m["r_five"]), RSUB, self.lit(0), func=LOG2)
        self._set("r_k", one(m["c_k"]), RSUB, self.lit(0), func=LOG2)
        self._set("r_pool", one(m["c_pool"]), RSUB, self.lit(0), func=LOG2)

    def _spectrum(self) -> None:
        m = self.m
        pcm = vec(m["pcm"], mode=WRAP)
        n = WINDOW
        self.op("peak", pcm._replace(si=1), MAXABS, ZERO, vec(m["p"]), inner=n, acc_max=1)
        self._set("fall", one(m["p"]), MIN, self.lit(15), func=BITS, sh_we=1)
        self._set("gain", one(m["fall"]), RSUB, self.lit(15))
        self.op("windowed", pcm, MUL, At(isa.B_WINDOW, 0, 0, 1), vec(m["re"], mode=REVERSED), n=n, sh_en=1, sat="s18")
        self._fill("im", m["im"], n)
        re, im, half = m["re"], m["im"], n // 2
        for stage in range(STAGES):
            low = {"inner": 2, "n": half, "aux": stage, "shift": 16}
            wing = At(isa.B_DATA, re, BANK, 1 - BANK, LOWER)
            self.op("tr", wing, MUL, At(isa.B_TWIDDLE, 0, 256, 1 - 256), vec(m["tr"]), acc_neg=1, **low)
            self.op("ti", wing, MUL, At(isa.B_TWIDDLE, 256, -256, 1 + 256), vec(m["ti"]), **low)
            for part, t, name in ((re, m["tr"], "re"), (im, m["ti"], "im")):
                for alu, mode in ((SUB, LOWER), (ADD, UPPER)):
                    # Mode of d: UPPER and LOWER as for a.
                    self.op(
                        name, vec(part, mode=UPPER), alu, vec(t), vec(part, mode=mode), n=half, aux=stage, sat="s25"
                    )
        b = m["bin"]
        mx, my = m["ti"], m["low1"]  # free after the FFT
        self.op("largest", vec(re), MAXABS, vec(im), vec(mx), n=_BINS)
        self.op("fall_bin", vec(mx), ADD, ZERO, vec(b), n=_BINS, func=NORM, d_both=1)
        self.op("x", vec(re), PASS, vec(b + Y), vec(re), n=_BINS, b_en=1)
        self.op("y", vec(im), PASS, vec(b), vec(im), n=_BINS, b_en=1)
        self.op("power", At(isa.B_DATA, re, BANK, 1 - BANK), MUL, SAME, vec(my), n=_BINS, inner=2)
        self.op("half", vec(my), ADD, ZERO, vec(mx), n=_BINS, func=LOG2, shift=1)
        # 2^(half + s - g): shift 32 - ip - s + g
        self.load_shift("gain", one(m["gain"]))
        self.op(
            "magnitude",
            vec(mx),
            PASS,
            vec(b + Y),
            vec(m["mag"]),
            n=_BINS,
            func=EXP,
            shift=32,
            ip_en=1,
            b_en=1,
            sh_en=1,
            sat="u24",
        )

    def _front(self) -> None:
        m = self.m
        n = _BINS
        self.op("slot", one(m["slot_ring"]), ADD, ZERO, None, ptr_we=1)
        self.op("ring", vec(m["mag"]), ADD, ZERO, vec(m["ring"], ptr=1), n=n)
        frames = ANCHOR_FRAMES
        self.op("total", vec(m["ring"], si=n, so=1 - (frames - 1) * n), ADD, ZERO, vec(m["total"]), n=n, inner=frames)
        # Every 75 frames the running minimum becomes the previous one; not at t = 0, where the count starts.
        self._set("block_left", one(m["block_left"]), SUB, self.lit(1), set_flag=1)
        negative = isa.IF_NEGATIVE
        self.op("previous", vec(m["current"]), ADD, ZERO, vec(m["previous"]), n=n, cond=negative)
        self.op("current", ZERO, ADD, self.lit(at.NO_MINIMUM), vec(m["current"]), n=n, func=isa.ZERO, cond=negative)
        self._set("block_left", ZERO, ADD, self.lit(ANCHOR_BLOCK - 1), func=isa.ZERO, cond=negative)
        later = isa.IF_NOT_NEGATIVE
        self.op("t>=4", one(m["c_five"]), SUB, self.lit(ANCHOR_FRAMES), None, set_flag=1)
        self.op("current", vec(m["current"]), MIN, vec(m["total"]), vec(m["current"]), n=n, cond=later)
        self.op("t>=5", one(m["c_five"]), SUB, self.lit(ANCHOR_FRAMES + 1), None, set_flag=1)
        self.op("total", vec(m["current"]), MIN, vec(m["previous"]), vec(m["total"]), n=n, cond=later)
        self.op(
            "mean5",
            one(m["r_five"]),
            MUL,
            vec(m["total"]),
            vec(m["total"]),
            n=n,
            func=MANT,
            swap=1,
            shift=8,
            ip_en=1,
            sat="u32",
        )
        self.op("anchor", vec(m["total"]), MAX, self.lit(front.ANCHOR_LEAST), vec(m["anchor"]), n=n)
        self.op("floor_start", vec(m["anchor"]), ADD, ZERO, vec(m["floor"]), n=n, cond=negative)
        jump = m["floor"] - m["mag"]
        scratch_x, scratch_y = m["bin"], m["bin"] + Y
        literal = self.lit(256, -1)
        self.op(
            "distance",
            vec(m["mag"], si=jump, so=1 - jump),
            MUL,
            literal._replace(si=4, so=-4),
            vec(scratch_x),
            n=n,
            inner=2,
            cond=later,
        )
        assert at.RATE_ABOVE == at.RATE_BELOW + 1
        self.op(
            "pull",
            vec(scratch_x),
            MUL,
            self.const("scalar", at.RATE_ABOVE, si=-1, so=1),
            vec(scratch_x),
            n=n,
            inner=2,
            func=SPLIT,
            shift=17,
            cond=later,
        )
        self.op("pulled", vec(m["floor"]), ADD, vec(scratch_x), vec(scratch_x), n=n, cond=later)
        self.op("half_anchor", vec(m["anchor"]), ADD, ZERO, vec(scratch_y), n=n, shift=1, cond=later)
        self.op("floor_follow", vec(scratch_y), MAX, vec(scratch_x), vec(m["floor"]), n=n, cond=later)
        scale = self.scalar(at.LOG2_NOISE_SCALE)
        self.op("log_mag", vec(m["mag"]), SUB, scale, vec(scratch_x), n=n, func=LOG2)
        self.op("log_ratio", vec(m["floor"]), RSUB, vec(scratch_x), vec(scratch_x), n=n, func=LOG2)
        # The floor has 8 fraction bits more than the magnitude: 2^(x + 8) with 15 fraction bits.
        self.op("ratio", vec(scratch_x), ADD, ZERO, vec(m["ratio"]), n=n, func=EXP, shift=9, ip_en=1, sat="u23")
        words = self.mel_words
        bank = At(isa.B_MEL, 0, 0, 1)
        self.op("mel", vec(m["mag"], so=0, mode=isa.MEL), MUL, bank, vec(m["mel"]), n=words, shift=10, sat="u32")
        self.op(
            "mel_ratio",
            vec(m["ratio"], so=0, mode=isa.MEL),
            MUL,
            bank,
            vec(m["mel_ratio"]),
            n=words,
            shift=19,
            sat="s25",
        )
        k = _BANDS
        self.op("snr_in", vec(m["mel_ratio"]), MUL, self.lit(front.SNR_GAIN), vec(m["ty"]), n=k, shift=17)
        self.op("snr", vec(m["ty"]), SUB, self.lit(32768), vec(m["snr"]), n=k, func=SIGMA, sat="u15")
        self.op("snr_sum", vec(m["snr"], si=1), ADD, ZERO, vec(m["snr_sum"]), inner=k)
        self.op("out_snr", vec(m["snr"]), ADD, ZERO, vec(self.out_at["snr"]), n=k)
        self.op(
            "out_mel",
            vec(m["mel"]),
            SUB,
            self.lit(feat.ENERGY_LOG2),
            vec(self.out_at["mel"]),
            n=k,
            func=LOG2,
            shift=6,
            sat="s16",
        )

    @property
    def mel_words(self) -> int:
        """Words of the filterbank memory."""
        from kwscore.fixed.tables import rom

        return int(rom().mel_count.sum())

    def _features(self) -> None:
        m, k = self.m, _BANDS
        energy, logs = m["energy"], m["log_energy"]
        self.op("energy", vec(m["mel"]), MAX, self.const("band_floor", so=1), vec(energy), n=k, d_both=1)
        self.op("log_energy", vec(energy), ADD, ZERO, vec(logs), n=k, func=LOG2, d_both=1)
        # Routing
        self.op("sum_logs", vec(logs, si=1), ADD, ZERO, vec(m["sum_logs"]), inner=k)
        self._set("p", one(m["sum_logs"]), MUL, self.lit(feat.MEAN_40), shift=22)
        self.op("sum", vec(energy, si=1), ADD, ZERO, None, inner=k)
        self._set("p", R, RSUB, one(m["p"]), func=LOG2)
        self._set("p", one(m["p"]), ADD, self.lit(feat.LOG2_40))
        self._set("p", one(m["p"]), MIN, self.lit(0))
        self._set("flat", one(m["p"]), ADD, ZERO, func=EXP, shift=16, ip_en=1, sat="u17")
        self.op("low", vec(energy, si=1), ADD, ZERO, None, inner=13)
        self._set("q", R, ADD, self.lit(feat.LOG2_14_13), func=LOG2)
        self.op("high", vec(energy + 26, si=1), ADD, ZERO, None, inner=k - 26)
        self._set("q", R, RSUB, one(m["q"]), func=LOG2)
        self._set("q", one(m["q"]), MUL, self.lit(feat.LN2), shift=21)
        self._set("tilt", one(m["q"]), ADD, ZERO, func=SIGMA)
        self._set("q", one(m["tilt"]), SUB, self.lit(feat.TILT_LEAST))
        self._set("q", one(m["q"]), MAX, self.lit(0))
        self._set("p", one(m["flat"]), RSUB, self.lit(65536))
        self._set("p", one(m["p"]), MUL, one(m["q"] + Y), shift=16)
        self._set("indicator", one(m["flat"]), ADD, one(m["p"] + Y))
        self._set("p", one(m["indicator"]), SUB, self.lit(32768))
        self._set("p", one(m["p"]), MUL, self.scalar(at.GATE_TEMP), shift=16)
        self._set("gate", one(m["p"]), ADD, ZERO, func=SIGMA)
        self.op("out_route", one(m["gate"]), RSUB, self.lit(65536), vec(self.out_at["routing"]), shift=1)
        self.op("out_route", one(m["gate"]), ADD, ZERO, vec(self.out_at["routing"] + 1), shift=1)
        for e in range(2):
            self._expert(e)
        self.op("mix", vec(m["expert1"]), SUB, vec(m["expert0"]), vec(m["ty"]), n=k)
        self.op("mix", vec(m["ty"]), MUL, one(m["gate"]), vec(m["tx"]), n=k, shift=16)
        self.op("feature", vec(m["tx"]), ADD, vec(m["expert0"]), vec(m["feature"]), n=k)

    def _expert(self, e: int) -> None:
        m, k = self.m, _BANDS
        tx, env = m["tx"], m[f"envelope{e}"]

        def constant(index: int) -> At:
            return self.const("pcen", e, index, so=1)

        self.op("t>0", one(m["c_pool"]), SUB, self.lit(2), None, set_flag=1)
        later = isa.IF_NOT_NEGATIVE
        self.op("env_start", vec(m["energy"]), ADD, ZERO, vec(env), n=k, cond=isa.IF_NEGATIVE)
        self.op("env_diff", vec(m["energy"]), SUB, vec(env), vec(tx), n=k, cond=later)
        self.op("env_step", vec(tx), MUL, constant(at.PCEN_S), vec(tx), n=k, shift=17, cond=later)
        self.op("env_follow", vec(tx), ADD, vec(env), vec(env), n=k, sat="u32", cond=later)
        self.op("env_eps", vec(env), ADD, self.lit(feat.ENVELOPE_EPS), vec(tx), n=k, sat="u32")
        self.op("level", vec(tx), SUB, self.lit(feat.ENERGY_LOG2), vec(tx), n=k, func=LOG2)
        self.op("level", vec(tx), MUL, constant(at.PCEN_ALPHA), vec(tx), n=k, shift=17)
        self.op("gain_log", vec(m["log_energy"] + Y), SUB, vec(tx), vec(tx), n=k)
        # Less 22 << 16, as an exponent: 32 - 24 + 22.
        self.op("pcen_gain", vec(tx), ADD, ZERO, vec(tx), n=k, func=EXP, shift=30, ip_en=1, sat="u32")
        self.op("pcen_gain", vec(tx), ADD, constant(at.PCEN_DELTA), vec(tx), n=k, sat="u32")
        self.op("root", vec(tx), SUB, self.lit(24 << 16), vec(tx), n=k, func=LOG2)
        self.op("root", vec(tx), MUL, constant(at.PCEN_R), vec(tx), n=k, shift=17)
        self.op("root", vec(tx), ADD, ZERO, vec(tx), n=k, func=EXP, shift=13, ip_en=1, sat="u24")
        self.op(f"expert{e}", vec(tx), SUB, constant(at.PCEN_OFFSET), vec(m[f"expert{e}"]), n=k, sat="s24")

    def _norm(self) -> None:
        m, k = self.m, _BANDS
        tx, ty, ux, uy, diff = m["tx"], m["ty"], m["ux"], m["uy"], m["diff"]
        mean, var, rk = m["mean"], m["var"], m["r_k"]
        # Exponent of 1/k: -floor(log2), into the shift register
        self._set("p", one(rk), SUB, self.lit(32768), shift=16)
        self._set("p", one(m["p"]), RSUB, self.lit(0), sh_we=1)
        self.op("mean7", vec(mean), ADD, ZERO, vec(ty), n=k, shift=7)
        self.op("diff", vec(m["feature"]), SUB, vec(ty), vec(diff), n=k, sat="s25", d_both=1)
        self.op("mean_step", one(rk), MUL, vec(diff + Y), vec(tx), n=k, func=MANT, swap=1, shift=9, ip_en=1)
        self.op("mean", vec(tx), ADD, vec(mean), vec(mean), n=k, sat="s32")
        self.op("square", one(rk), MUL, vec(diff + Y), vec(ux), n=k, func=MANT, swap=1, shift=17)
        self.op("square", vec(diff), ADD, ZERO, vec(uy), n=k, shift=7, sat="s18")
        self.op("square", vec(ux), MUL, vec(uy), vec(tx), n=k, shift=6, sh_en=1)
        self.op("grown", vec(tx), ADD, vec(var), vec(var), n=k, sat="u32")
        self.op("shrunk", one(rk), MUL, vec(var), vec(tx), n=k, func=MANT, swap=1, shift=16, ip_en=1)
        self.op("var", vec(var), SUB, vec(tx), vec(var), n=k, sat="u31")
        self.op("inverse", vec(var), ADD, self.lit(feat.NORM_EPS), vec(tx), n=k)
        self.op("inverse", vec(tx), RSUB, self.lit(24 << 16), vec(ux), n=k, func=LOG2, shift=1)
        self.op("mean7", vec(mean), ADD, ZERO, vec(ty), n=k, shift=7)
        self.op("diff", vec(m["feature"]), SUB, vec(ty), vec(diff), n=k, sat="s25", d_both=1)
        self.load_shift("xn_shift", self.scalar(at.XN_SHIFT))
        self.op(
            "normed", vec(ux), MUL, vec(diff + Y), vec(m["normed"]), n=k, func=MANT, swap=1, ip_en=1, sh_en=1, sat="s16"
        )

    def _layer_norm(self, label: str, affine: str, layer: tuple[int, ...], shift: At, d: At) -> None:
        m, width = self.m, self.sizes.d
        x, dx = m["stream"], m["dx"]
        self.op("ln_sum", vec(x, si=1), ADD, ZERO, vec(m["t0"]), inner=width)
        self.load_shift("ln_shift", self.scalar(at.WIDTH_SHIFT))
        self._set("mu", one(m["t0"]), MUL, self.scalar(at.WIDTH_MANTISSA), sh_en=1)
        self.op("ln_diff", vec(x), SUB, one(m["mu"] + Y), vec(dx), n=width, sat="s25")
        self.op("ln_most", vec(dx, si=1), MAXABS, ZERO, vec(m["t0"]), inner=width, acc_max=1)
        self._set("ss", one(m["t0"]), ADD, ZERO, func=NORM, sh_we=1)
        self.op("ln_diff", vec(dx), ADD, ZERO, vec(dx), n=width, sh_en=1)
        self._set("ss", one(m["ss"]), MUL, self.lit(2), sh_we=1)
        self.op("ln_eps", ZERO, ADD, self.scalar(at.LN_EPS), vec(m["t1"]), func=isa.ZERO, sh_en=1)
        self.op("ln_power", vec(dx, si=1), MUL, SAME, None, inner=width)
        self.op("ln_power", R, ADD, one(m["t1"]), None)
        self._set("inv", R, RSUB, self.scalar(at.WIDTH_LOG2), func=LOG2, shift=1)
        vy = m["vy"]
        self.op(
            "ln_n", one(m["inv"] + Y), MUL, vec(dx), vec(vy), n=width, func=MANT, swap=1, shift=2, ip_en=1, sat="s18"
        )
        self.load_shift("ln_shift", shift)
        self.op("ln_w", vec(vy), MUL, self.const(affine, *layer, 0, so=1), vec(vy), n=width, sh_en=1)
        self.op(label, vec(vy), ADD, self.const(affine, *layer, 1, so=1), d, n=width, sat="s16")

    def _block(self, layer: int) -> None:
        m, s = self.m, self.sizes
        ch, st, width = s.channels, s.states, s.d
        past, hidden = m[f"past{layer}"], m[f"hidden{layer}"]
        vx, vy, wy, z, u = m["vx"], m["vy"], m["wy"], m["z"], m["u"]

        def scalar(index: int) -> At:
            return self.const("block", layer, index)

        def shift(index: int) -> None:
            self.load_shift(at.BLOCK_SCALARS[index], scalar(index))

        def channel(index: int) -> At:
            return self.const("channel", layer, index, so=1)

        self._layer_norm(f"ln{layer}", "ln", (layer,), scalar(at.LN_SHIFT), vec(m["norm_out"]))
        self.rows(f"inner{layer}", "in_proj", (layer,), ch, m["norm_out"], vec(past + 2 * ch), "s16")
        self.rows(f"z{layer}", "in_proj", (layer, ch), ch, m["norm_out"], vec(z), "s24")
        shift(at.CONV_SHIFT)
        self.op(
            "taps",
            vec(past, si=ch, so=1 - 2 * ch),
            MUL,
            self.const("conv", layer, 0, si=ch, so=1 - 2 * ch),
            vec(vy),
            n=ch,
            inner=3,
            sh_en=1,
        )
        self.op(f"conv{layer}", vec(vy), ADD, self.const("conv", layer, 3, so=1), vec(m["conv"]), n=ch, sat="s24")
        self.op("past", vec(past + ch), ADD, ZERO, vec(past), n=ch)
        self.op("past", vec(past + 2 * ch), ADD, ZERO, vec(past + ch), n=ch)
        shift(at.U_SHIFT)
        self.op(f"u{layer}", vec(m["conv"]), MUL, SAME, vec(u), n=ch, func=SIGMA, swap=1, sh_en=1, sat="s16")
        proj, mod = m["proj"], m["modulation"]
        self.rows(f"proj{layer}", "x_proj", (layer,), st + 1, u, vec(proj), "s24")
        self.code[-1].d_both = 1
        self.rows(f"read{layer}", "x_proj", (layer, st + 1), st, u, vec(proj + st + 1), "s16")
        self.code[-1].d_both = 1
        self.rows("snr_row", "snr_proj", (layer,), st + 1, m["snr"], vec(vy))
        bias = self.const("snr_bias", layer, so=1)
        self.op(f"modulation{layer}", vec(vy), ADD, bias, vec(mod), n=st + 1, sat="s24")
        self.op("factor", vec(mod + 1), MUL, scalar(at.GATE_SLOPE), vec(vy), n=st, func=SIGMA, shift=16)
        self.op("factor", vec(vy), ADD, scalar(at.GATE_BASE), vec(vy), n=st, sat="s18")
        shift(at.B_SHIFT)
        self.op(f"b{layer}", vec(proj + 1), MUL, vec(vy), vec(m["gated"]), n=st, sh_en=1, sat="s16")
        # Step size
        self._set("phi", one(m["snr_sum"]), MUL, scalar(at.PHI_SLOPE), shift=19)
        self._set("phi", one(m["phi"]), ADD, scalar(at.PHI_LEAST))
        self._set("p", one(proj), ADD, one(mod), sat="s24")
        shift(at.DT_SHIFT)
        self.op("dt", one(m["p"]), MUL, channel(at.DT_WEIGHT), vec(vx), n=ch, sh_en=1)
        self.op("dt", vec(vx), ADD, channel(at.DT_BIAS), vec(vx), n=ch, sat="s24")
        delta = m["delta"]
        self.op(f"delta{layer}", vec(vx), ADD, one(m["phi"] + Y), vec(delta), n=ch, func=SOFTPLUS, shift=5, sat="u16")
        self.op("out_delta", vec(delta), ADD, ZERO, vec(self.out_at["delta"] + layer * ch), n=ch)
        # Scan
        self._set("eps", one(m["snr_sum"]), MUL, scalar(at.EPS_SLOPE), shift=21)
        self._set("eps", one(m["eps"]), RSUB, scalar(at.EPS_MOST))
        decay, size = m["decay"], st * ch
        for n in range(st):
            self.load_shift("decay_shift", self.const("decay_shift", layer, n))
            rate = self.const("decay", layer, n, so=1)
            self.op("fall", vec(delta), MUL, rate, vec(decay + n * ch), n=ch, sh_en=1, sat="u24")
        self.op("fall", vec(decay), RSUB, self.lit(0), vec(decay), n=size)
        self.op(f"decay{layer}", vec(decay), ADD, ZERO, vec(decay), n=size, func=EXP, shift=16, ip_en=1, sat="u16")
        shift(at.DRIVE_B_SHIFT)
        grid = {"n": st, "inner": ch, "each": 1}
        self.op("drive", vec(delta, si=1, so=1 - ch), MUL, vec(m["gated"]), vec(vx), sh_en=1, **grid)
        self.op("drive", vec(vx), ADD, one(m["eps"] + Y), vec(wy), n=size, sat="s25")
        shift(at.DRIVE_SHIFT)
        # b runs over the channels again for every state
        self.op("drive", vec(wy, si=1), MUL, vec(u, si=1, so=1 - ch), vec(vx), sh_en=1, sat="s32", **grid)
        self.op("keep", vec(hidden), MUL, vec(decay), vec(wy), n=size, shift=16)
        self.op(f"hidden{layer}", vec(vx), ADD, vec(wy), vec(hidden), n=size, sat="s24")
        shift(at.Y_SHIFT)
        self.op(
            "read",
            vec(hidden, si=ch, so=1 - (st - 1) * ch),
            MUL,
            vec(proj + Y + st + 1, si=1, so=1 - st),
            vec(vx),
            n=ch,
            inner=st,
            sh_en=1,
        )
        shift(at.SKIP_SHIFT)
        self.op("skip", vec(u), MUL, channel(at.SKIP), vec(vy), n=ch, sh_en=1)
        self.op(f"y{layer}", vec(vx), ADD, vec(vy), vec(m["y"]), n=ch, sat="s24")
        # Gate and residual
        shift(at.SZ_SHIFT)
        self.op(f"sz{layer}", vec(z), MUL, SAME, vec(vy), n=ch, func=SIGMA, swap=1, sh_en=1, sat="s16")
        shift(at.V_SHIFT)
        self.op(f"v{layer}", vec(m["y"]), MUL, vec(vy), vec(m["v"]), n=ch, sh_en=1, sat="s20")
        self.rows("change", "out_proj", (layer,), width, m["v"], vec(vy))
        self.op(f"x{layer + 1}", vec(m["stream"]), ADD, vec(vy), vec(m["stream"]), n=width, sat="s24")

    def _head(self) -> None:
        m, width = self.m, self.sizes.d
        final, vx, vy = m["norm_out"], m["vx"], m["vy"]
        self._layer_norm("final", "final", (), self.scalar(at.FINAL_SHIFT), vec(final))
        self.op("slot", one(m["slot_pool"]), ADD, ZERO, None, ptr_we=1)
        self.op("pool_change", vec(final), SUB, vec(m["pool"], ptr=1), vec(vx), n=width)
        self.op("pool_sum", vec(vx), ADD, vec(m["pool_sum"]), vec(m["pool_sum"]), n=width)
        self.op("pool", vec(final), ADD, ZERO, vec(m["pool"], ptr=1), n=width)
        self.load_shift("pool_shift", self.scalar(at.POOL_SHIFT))
        self.op(
            "pooled",
            one(m["r_pool"]),
            MUL,
            vec(m["pool_sum"]),
            vec(m["pooled"]),
            n=width,
            func=MANT,
            swap=1,
            ip_en=1,
            sh_en=1,
            sat="s16",
        )
        self.rows("class_row", "classifier", (), N_CLASSES, m["pooled"], vec(vy))
        self.op(
            "logits", vec(vy), ADD, self.const("class_bias", so=1), vec(self.out_at["logits"]), n=N_CLASSES, sat="s16"
        )
