"""Final norm, pooling ring and classifier (docs/fixed_point.md, section 7)."""

from __future__ import annotations

from kwscore.constants import CLIP_FRAMES, N_CLASSES
from kwscore.fixed import layout as at
from kwscore.fixed.arith import rsh, sat
from kwscore.fixed.block import row
from kwscore.fixed.functions import reciprocal
from kwscore.fixed.jit import kernel


@kernel
def pool(table, t, shift, final, ring, total, out):
    """Mean of the last min(t + 1, 97) outputs of the final norm from a sum that is exact for ever."""
    slot = t % CLIP_FRAMES
    mantissa, e = reciprocal(table, min(t + 1, CLIP_FRAMES))
    for i in range(final.shape[0]):
        total[i] += final[i] - ring[slot, i]
        ring[slot, i] = final[i]
        out[i] = sat(rsh(total[i] * mantissa, shift + e), 16)


@kernel
def classify(net, pooled, logits):
    """Logits s16 Q.9."""
    for k in range(N_CLASSES):
        total = row(net.weight.classifier[k], net.shift.classifier[k], pooled)
        logits[k] = sat(total + net.const.class_bias[k], 16)


@kernel
def head(table, t, net, state, trace):
    """Pooled final norm of the last residual and its logits."""
    pool(table, t, net.const.scalar[at.POOL_SHIFT], trace.final, state.pool, state.pool_sum, trace.pooled)
    trace.pool_sum[:] = state.pool_sum
    classify(net, trace.pooled, trace.logits)
