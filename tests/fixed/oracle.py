"""The integer datapath once more, slowly, written from docs/fixed_point.md on Python integers of any size."""

from __future__ import annotations

from typing import Any

from kwscore.fixed import layout as at
from kwscore.fixed.image import Image
from kwscore.fixed.tables import rom
from tests.fixed.datapath import (
    accumulate,
    clamp,
    exp2,
    fits,
    log2,
    mul,
    reciprocal,
    shift,
    sigmoid,
    softplus,
    split,
    uclamp,
    wide_mul,
)

_ROM = {name: value.tolist() for name, value in rom()._asdict().items()}
Frame = dict[str, Any]


class Oracle:
    """Runs one stream; ``frame`` takes the frame's 512 samples."""

    def __init__(self, image: Image, state: at.State) -> None:
        self.sizes = image.sizes
        self.w = {k: v.tolist() for k, v in image.weight._asdict().items()}
        self.n = {k: v.tolist() for k, v in image.shift._asdict().items()}
        self.c = {k: v.tolist() for k, v in image.const._asdict().items()}
        self.g = dict(zip(at.SCALARS, self.c["scalar"], strict=True))
        self.s: Frame = {k: v.tolist() for k, v in state._asdict().items()}
        self.t: int = self.s["counter"][at.FRAME]

    def frame(self, pcm: list[int]) -> Frame:
        """Every intermediate tensor of the next frame."""
        out: Frame = {}
        self.spectrum(pcm, out)
        self.noise(out)
        self.mel(out)
        self.features(out)
        self.norm(out)
        rows = self.row("project", out["normed"])
        out["x"] = [[clamp(r + b, 24) for r, b in zip(rows, self.c["project_bias"], strict=True)]]
        for key in ("ln", "inner", "conv", "u", "sz", "proj", "modulation", "b", "delta", "decay", "y", "v"):
            out[key] = []
        for layer in range(self.sizes.layers):
            self.block(layer, out)
        out["hidden"] = self.s["hidden"]
        self.head(out)
        self.t += 1
        return out

    def row(self, name: str, x: list[int], layer: int | None = None) -> list[int]:
        matrix, shifts = self.w[name], self.n[name]
        if layer is not None:
            matrix, shifts = matrix[layer], shifts[layer]
        return [
            shift(clamp(accumulate([mul(v, fits(w, 8)) for w, v in zip(row, x, strict=True)]), 32), n)
            for row, n in zip(matrix, shifts, strict=True)
        ]

    def spectrum(self, pcm: list[int], out: Frame) -> None:
        gain = max(15 - max(abs(x) for x in pcm).bit_length(), 0)
        out["gain"] = [gain]
        out["windowed"] = [fits(shift(mul(x, w), 15 - gain), 18) for x, w in zip(pcm, _ROM["window"], strict=True)]
        re = [out["windowed"][int(f"{i:09b}"[::-1], 2)] for i in range(512)]
        im = [0] * 512
        cos, sin = _ROM["twiddle"]
        size = 2
        while size <= 512:
            for first in range(0, 512, size):
                for j in range(size // 2):
                    a, b, k = first + j, first + j + size // 2, j * (512 // size)
                    t_re = shift(accumulate([mul(re[b], cos[k]), -mul(im[b], sin[k])]), 16)
                    t_im = shift(accumulate([mul(re[b], sin[k]), mul(im[b], cos[k])]), 16)
                    re[a], re[b] = clamp(re[a] + t_re, 25), clamp(re[a] - t_re, 25)
                    im[a], im[b] = clamp(im[a] + t_im, 25), clamp(im[a] - t_im, 25)
            size *= 2
        out["spectrum"] = [re, im]
        out["magnitude"] = []
        for x, y in zip(re[:257], im[:257], strict=True):
            s = max(max(abs(x), abs(y)).bit_length() - 16, 0)
            p = [shift(x, s), shift(y, s)]
            level = log2(accumulate([mul(v, v) for v in p]))
            out["magnitude"].append(uclamp(exp2(shift(level, 1) + 65536 * (s - gain), 0, 25), 24))

    def noise(self, out: Frame) -> None:
        t, ring, minimum, floor = self.t, self.s["ring"], self.s["minimum"], self.s["floor"]
        ring[t % 5] = out["magnitude"]
        mantissa, e = reciprocal(min(t + 1, 5))
        if t and t % 75 == 0:
            minimum[1], minimum[0] = minimum[0], [at.NO_MINIMUM] * 257
        out["anchor"], out["floor"], out["ratio"] = [], floor, []
        for f in range(257):
            total = sum(slot[f] for slot in ring)
            if t >= 4:
                minimum[0][f] = min(minimum[0][f], total)
            if t > 4:
                total = min(minimum[0][f], minimum[1][f])
            anchor = max(uclamp(wide_mul(total * 512, mantissa, 17 + e), 32), 168)
            m = out["magnitude"][f]
            if self.sizes.front == at.FRONT_LOG or t < 5:
                floor[f] = anchor
            else:
                d = m * 256 - floor[f]
                rate = self.g["RATE_ABOVE"] if d > 0 else self.g["RATE_BELOW"]
                floor[f] = max(floor[f] + wide_mul(d, rate, 17), shift(anchor, 1))
            out["anchor"].append(anchor)
            x = log2(m) - (log2(floor[f]) - 8 * 65536) - self.g["LOG2_NOISE_SCALE"]
            out["ratio"].append(exp2(x, 15, 23))

    def mel(self, out: Frame) -> None:
        out["mel"], out["mel_ratio"], out["snr"] = [], [], []
        for start, count, weights in zip(_ROM["mel_start"], _ROM["mel_count"], _ROM["mel_weight"], strict=True):
            pairs = list(zip(range(start, start + count), weights[:count], strict=True))
            out["mel"].append(uclamp(shift(accumulate([mul(out["magnitude"][f], w) for f, w in pairs]), 10), 32))
            ratio = clamp(shift(accumulate([mul(out["ratio"][f], w) for f, w in pairs]), 19), 25)
            out["mel_ratio"].append(ratio)
            out["snr"].append(uclamp(sigmoid(shift(mul(ratio, 26214), 17)) - 32768, 15))

    def features(self, out: Frame) -> None:
        out["routing"], out["expert"] = [0] * 4, []
        if self.sizes.front == at.FRONT_LOG:
            out["energy"], out["envelope"] = out["mel"], []
            out["log_energy"] = [log2(e) for e in out["energy"]]
            out["feature"] = [
                clamp(shift(mul(max(v - 22 * 65536, -1741647), 90852), 14), 25) for v in out["log_energy"]
            ]
            return
        energy = out["energy"] = [max(e, f) for e, f in zip(out["mel"], self.c["band_floor"], strict=True)]
        logs = out["log_energy"] = [log2(e) for e in energy]
        flatness = exp2(min(wide_mul(sum(logs), 104858, 22) - log2(sum(energy)) + 348778, 0), 16, 17)
        balance = log2(sum(energy[:13])) - log2(sum(energy[26:])) + 7007
        tilt = sigmoid(shift(mul(balance, 90852), 21))
        indicator = flatness + shift(mul(65536 - flatness, max(tilt - 39322, 0)), 16)
        gate = sigmoid(shift(mul(self.g["GATE_TEMP"], indicator - 32768), 16))
        out["routing"] = [flatness, tilt, indicator, gate]
        for expert in range(2):
            out["expert"].append(self.pcen(expert, energy, logs))
        out["envelope"] = self.s["envelope"]
        first, second = out["expert"]
        out["feature"] = [a + shift(mul(b - a, gate), 16) for a, b in zip(first, second, strict=True)]

    def pcen(self, expert: int, energy: list[int], logs: list[int]) -> list[int]:
        envelope, out = self.s["envelope"][expert], []
        for m, (s, alpha, delta, r, offset) in enumerate(zip(*self.c["pcen"][expert], strict=True)):
            e = energy[m]
            envelope[m] = e if self.t == 0 else uclamp(envelope[m] + wide_mul(e - envelope[m], s, 17), 32)
            level = log2(uclamp(envelope[m] + 4, 32)) - 22 * 65536
            gain = exp2(logs[m] - 22 * 65536 - shift(mul(level, alpha), 17), 24, 32)
            root = shift(mul(log2(uclamp(gain + delta, 32)) - 24 * 65536, r), 17)
            out.append(clamp(exp2(root, 19, 24) - offset, 24))
        return out

    def norm(self, out: Frame) -> None:
        k = min(self.t + 1 + self.g["NORM_PRIOR"], self.g["NORM_HORIZON"])
        mantissa, e = reciprocal(k)
        mean, var = self.s["mean"], self.s["var"]
        out["mean"], out["var"], out["normed"] = mean, var, []
        for m, p in enumerate(out["feature"]):
            d = clamp(p - shift(mean[m], 7), 25)
            step = mul(d, mantissa)
            mean[m] = clamp(mean[m] + shift(step, 9 + e), 32)
            square = mul(shift(step, 17), clamp(shift(d, 7), 18))
            grown = uclamp(var[m] + shift(square, 6 + e), 32)
            var[m] = uclamp(grown - wide_mul(grown, mantissa, 16 + e), 31)
            inverse, exponent = split(shift(24 * 65536 - log2(var[m] + 168), 1))
            d = clamp(p - shift(mean[m], 7), 25)
            out["normed"].append(clamp(shift(mul(d, inverse), self.g["XN_SHIFT"] - exponent), 16))

    def layer_norm(self, affine: list[list[int]], n: int, x: list[int]) -> list[int]:
        mean = wide_mul(sum(fits(v, 24) for v in x), self.g["WIDTH_MANTISSA"], self.g["WIDTH_SHIFT"])
        d = [clamp(v - mean, 25) for v in x]
        s = max(max(abs(v) for v in d).bit_length() - 16, 0)
        d = [shift(v, s) for v in d]
        power = accumulate([mul(v, v) for v in d]) + shift(self.g["LN_EPS"], 2 * s)
        inverse, exponent = split(shift(self.g["WIDTH_LOG2"] - log2(power), 1))
        normed = [clamp(shift(mul(v, inverse), 2 - exponent), 18) for v in d]
        return [clamp(shift(mul(v, w), n) + b, 16) for v, w, b in zip(normed, *affine, strict=True)]

    def block(self, layer: int, out: Frame) -> None:
        sizes, c = self.sizes, self.c
        b = dict(zip(at.BLOCK_SCALARS, c["block"][layer], strict=True))
        channels, states = sizes.channels, sizes.states
        ln = self.layer_norm(c["ln"][layer], b["LN_SHIFT"], out["x"][layer])
        rows = self.row("in_proj", ln, layer)
        fresh, z = [clamp(v, 16) for v in rows[:channels]], [clamp(v, 24) for v in rows[channels:]]
        history, taps = self.s["conv"][layer], c["conv"][layer]
        old, middle = history[self.t % 2], history[1 - self.t % 2]
        conv = []
        for i in range(channels):
            total = accumulate([mul(taps[0][i], old[i]), mul(taps[1][i], middle[i]), mul(taps[2][i], fresh[i])])
            conv.append(clamp(shift(total, b["CONV_SHIFT"]) + taps[3][i], 24))
        history[self.t % 2] = fresh
        u = [clamp(shift(mul(v, sigmoid(v)), b["U_SHIFT"]), 16) for v in conv]
        rows = self.row("x_proj", u, layer)
        proj = [clamp(v, 24) for v in rows[: states + 1]] + [clamp(v, 16) for v in rows[states + 1 :]]
        modulation = [
            clamp(r + bias, 24)
            for r, bias in zip(self.row("snr_proj", out["snr"], layer), c["snr_bias"][layer], strict=True)
        ]
        out["snr_sum"] = [sum(out["snr"])]
        gated = []
        for n in range(states):
            factor = clamp(b["GATE_BASE"] + shift(mul(b["GATE_SLOPE"], sigmoid(modulation[1 + n])), 16), 18)
            gated.append(clamp(shift(mul(proj[1 + n], factor), b["B_SHIFT"]), 16))
        delta = self.step_size(layer, b, clamp(proj[0] + modulation[0], 24), sum(out["snr"]))
        y, decay = self.scan(layer, b, delta, gated, proj[1 + states :], u, sum(out["snr"]))
        sz = [clamp(shift(mul(v, sigmoid(v)), b["SZ_SHIFT"]), 16) for v in z]
        v = [clamp(shift(mul(p, q), b["V_SHIFT"]), 20) for p, q in zip(y, sz, strict=True)]
        change = self.row("out_proj", v, layer)
        out["x"].append([clamp(p + q, 24) for p, q in zip(out["x"][layer], change, strict=True)])
        results = (ln, fresh + z, conv, u, sz, proj, modulation, gated, delta, decay, y, v)
        names = ("ln", "inner", "conv", "u", "sz", "proj", "modulation", "b", "delta", "decay", "y", "v")
        for name, value in zip(names, results, strict=True):
            out[name].append(value)

    def step_size(self, layer: int, b: dict[str, int], step: int, snr_sum: int) -> list[int]:
        least = b["PHI_LEAST"] + shift(mul(b["PHI_SLOPE"], snr_sum), 19)
        weight, bias, _ = self.c["channel"][layer]
        return [
            uclamp(shift(softplus(clamp(shift(mul(step, w), b["DT_SHIFT"]) + o, 24)) + least, 5), 16)
            for w, o in zip(weight, bias, strict=True)
        ]

    def scan(
        self, layer: int, b: dict[str, int], delta: list[int], gated: list[int], read: list[int], u: list[int], snr: int
    ) -> tuple[list[int], list[list[int]]]:
        rate, places = self.c["decay"][layer], self.c["decay_shift"][layer]
        hidden, skip = self.s["hidden"][layer], self.c["channel"][layer][at.SKIP]
        eps = b["EPS_MOST"] - shift(mul(b["EPS_SLOPE"], snr), 21)
        keeps: list[list[int]] = [[0] * len(u) for _ in gated]
        y = []
        for c, value in enumerate(u):
            for n, gate in enumerate(gated):
                fall = uclamp(shift(mul(delta[c], rate[n][c]), places[n]), 24)
                keeps[n][c] = exp2(-fall, 16, 16)
                gain = clamp(shift(mul(delta[c], gate), b["DRIVE_B_SHIFT"]) + eps, 25)
                drive = clamp(shift(mul(gain, value), b["DRIVE_SHIFT"]), 32)
                hidden[n][c] = clamp(shift(mul(hidden[n][c], keeps[n][c]), 16) + drive, 24)
            total = accumulate([mul(r, h[c]) for r, h in zip(read, hidden, strict=True)])
            y.append(clamp(shift(total, b["Y_SHIFT"]) + shift(mul(skip[c], value), b["SKIP_SHIFT"]), 24))
        return y, keeps

    def head(self, out: Frame) -> None:
        final = out["final"] = self.layer_norm(self.c["final"], self.g["FINAL_SHIFT"], out["x"][-1])
        slot, total = self.t % 97, self.s["pool_sum"]
        mantissa, e = reciprocal(min(self.t + 1, 97))
        for i, value in enumerate(final):
            total[i] = fits(total[i] + value - self.s["pool"][slot][i], 25)
        self.s["pool"][slot] = final
        out["pool_sum"] = total
        out["pooled"] = [clamp(shift(mul(v, mantissa), self.g["POOL_SHIFT"] + e), 16) for v in total]
        rows = self.row("classifier", out["pooled"])
        out["logits"] = [clamp(r + b, 16) for r, b in zip(rows, self.c["class_bias"], strict=True)]
