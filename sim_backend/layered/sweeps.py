r"""Steady state of deep layered networks by accelerated exact sweeps.

The layers of a stack form a bipartite graph: given all even layers, every node of an odd
layer rests at its own response, and the other way round.  Eliminating one colour leaves a
fixed point ``u = g(u)`` in the other, and one application of ``g`` is an exact block
coordinate descent on the (weighted) co-content, which always converges.  Anderson mixing over
the last few sweeps, a coefficient vector per example, makes it converge like a Krylov method;
where the mixed step does not lower an example's residual, that example falls back to a plain
sweep.  (Walker and Ni 2011, "Anderson acceleration for fixed-point iterations".)
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats

__all__ = ["DEPTH", "mix"]

DEPTH = 6
"""Sweeps remembered for mixing."""


@njit(cache=True, error_model="numpy")
def _solve_normal(gram: Floats, rhs: Floats, count: int, gamma: Floats) -> None:
    """Cholesky of the small normal equations; dependent directions get no weight."""
    for a in range(count):
        pivot = gram[a, a]
        for b in range(a):
            s = gram[a, b]
            for k in range(b):
                s -= gram[a, k] * gram[b, k]
            gram[a, b] = s / gram[b, b] if gram[b, b] > 0.0 else 0.0
            pivot -= gram[a, b] ** 2
        keep = pivot > 1e-12 * gram[a, a]
        gram[a, a] = np.sqrt(pivot) if keep else 0.0
        s = rhs[a]
        for k in range(a):
            s -= gram[a, k] * gamma[k]
        gamma[a] = s / gram[a, a] if keep else 0.0
    for a in range(count - 1, -1, -1):
        s = gamma[a]
        for k in range(a + 1, count):
            s -= gram[k, a] * gamma[k]
        gamma[a] = s / gram[a, a] if gram[a, a] > 0.0 else 0.0


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def mix(
    sweep: int,
    state: Floats,
    swept: Floats,
    previous_state: Floats,
    previous_residual: Floats,
    state_steps: Floats,
    residual_steps: Floats,
    remembered: NDArray[np.int64],
    best: Floats,
) -> None:
    """One Anderson step for every example, in place.

    Args:
        sweep: number of sweeps done before this one; fixes the ring-buffer slot.
        state: (batch, n) the state that was swept; overwritten by the next one.
        swept: (batch, n) ``g(state)``.
        previous_state: (batch, n) of the sweep before; overwritten.
        previous_residual: (batch, n) of the sweep before; overwritten.
        state_steps: (batch, DEPTH, n) ring buffer.
        residual_steps: (batch, DEPTH, n) ring buffer.
        remembered: (batch,) valid steps in the buffers.
        best: (batch,) smallest residual norm so far.
    """
    batch, n = state.shape
    depth = state_steps.shape[1]
    for b in prange(batch):
        gram = np.zeros((depth, depth))
        rhs = np.zeros(depth)
        gamma = np.zeros(depth)
        norm = 0.0
        for i in range(n):
            norm += (swept[b, i] - state[b, i]) ** 2
        if sweep > 0 and norm > 4.0 * best[b]:
            remembered[b] = 0
        elif sweep > 0:
            slot = (sweep - 1) % depth
            for i in range(n):
                state_steps[b, slot, i] = state[b, i] - previous_state[b, i]
                residual_steps[b, slot, i] = (swept[b, i] - state[b, i]) - previous_residual[b, i]
            remembered[b] = min(remembered[b] + 1, depth)
        best[b] = min(best[b], norm)
        for i in range(n):
            previous_state[b, i] = state[b, i]
            previous_residual[b, i] = swept[b, i] - state[b, i]
            state[b, i] = swept[b, i]
        count = remembered[b]
        for p in range(count):
            ring_p = (sweep - 1 - p) % depth
            for q in range(p + 1):
                ring_q = (sweep - 1 - q) % depth
                dot = 0.0
                for i in range(n):
                    dot += residual_steps[b, ring_p, i] * residual_steps[b, ring_q, i]
                gram[p, q] = dot
            dot = 0.0
            for i in range(n):
                dot += residual_steps[b, ring_p, i] * previous_residual[b, i]
            rhs[p] = dot
        _solve_normal(gram, rhs, count, gamma)
        for p in range(count):
            ring = (sweep - 1 - p) % depth
            weight = gamma[p]
            for i in range(n):
                state[b, i] -= weight * (state_steps[b, ring, i] + residual_steps[b, ring, i])
