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

__all__ = ["DEPTH", "Mixing", "mix"]

DEPTH = 6
"""Sweeps remembered for mixing."""

_FLOOR = 1e-6
"""Share of the largest voltage below which a layer's voltages are not told from zero."""

_PATIENCE = 2 * DEPTH
"""Sweeps within which the residual must halve; else as many plain sweeps follow."""


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _dot(left: Floats, right: Floats) -> float:
    """Sum of products in float64."""
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _relative_residual(
    state: Floats, residual: Floats, edges: NDArray[np.int64], tiny: np.floating
) -> np.floating:
    """Largest distance of a node from its response over its layer's largest voltage."""
    worst = tiny * 0
    # A layer whose diodes are all off is at 0 V; the others say what is small there.
    for i in range(edges[-1]):
        tiny = max(tiny, abs(state[i] + residual[i]) * _FLOOR)
    for layer in range(edges.size - 1):
        error = scale = tiny * 0
        for i in range(edges[layer], edges[layer + 1]):
            error = max(error, abs(residual[i]))
            scale = max(scale, abs(state[i] + residual[i]))
        worst = max(worst, error / max(scale, tiny))
    return worst


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _extrapolate(
    state: Floats, residual: Floats, changes: Floats, taken: int, negligible: float
) -> None:
    """Remove from ``residual`` what the remembered changes explain, and move ``state`` along.

    The changes are orthogonalised newest first and their moves carried along, which needs no
    normal equations: those would lose half of the digits.
    """
    depth, _, n = changes.shape
    count = min(taken, depth)
    basis = np.empty((count, n), state.dtype)
    moves = np.empty((count, n), state.dtype)
    norms = np.zeros(count)
    for p in range(count):
        change = changes[(taken - 1 - p) % depth]
        for i in range(n):
            basis[p, i] = change[1, i]
            moves[p, i] = change[0, i] + change[1, i]
        before = _dot(basis[p], basis[p])
        for q in range(p):
            if norms[q] > 0.0:
                share = state.dtype.type(_dot(basis[p], basis[q]) / norms[q])
                for i in range(n):
                    basis[p, i] -= share * basis[q, i]
                    moves[p, i] -= share * moves[q, i]
        after = _dot(basis[p], basis[p])
        if not after > negligible * before:
            continue
        norms[p] = after
        weight = state.dtype.type(_dot(residual, basis[p]) / after)
        for i in range(n):
            residual[i] -= weight * basis[p, i]
            state[i] -= weight * moves[p, i]


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def mix(
    is_first: bool,
    tolerance: float,
    tiny: np.floating,
    edges: NDArray[np.int64],
    state: Floats,
    swept: Floats,
    previous: Floats,
    steps: Floats,
    taken: NDArray[np.int64],
    best: Floats,
    stalled: NDArray[np.int64],
    residuals: Floats,
) -> None:
    """One Anderson step for every example that has not settled, in place.

    Args:
        is_first: no sweep of this phase came before.
        tolerance: relative residual at which an example is left as it is.
        tiny: smallest positive number of the dtype.
        edges: (n_layers + 1,) where the layers of the state begin, and its length.
        state: (batch, n) the state that was swept; overwritten by the next one.
        swept: (batch, n) ``g(state)``.
        previous: (batch, 2, n) state and residual of the sweep before; overwritten.
        steps: (batch, DEPTH, 2, n) ring buffer of the changes of both.
        taken: (batch,) changes stored since the ring buffer was last emptied.
        best: (batch,) the residual norm that must be undercut by a factor of four.
        stalled: (batch,) sweeps since it was.
        residuals: (batch,) overwritten by the relative residuals; NaN for what is not finite.
    """
    batch, n = state.shape
    depth = steps.shape[1]
    negligible = (10.0 * float(np.finfo(state.dtype).eps)) ** 2
    for b in prange(batch):
        residual = np.empty(n, state.dtype)
        for i in range(n):
            residual[i] = swept[b, i] - state[b, i]
        norm = _dot(residual, residual)
        residuals[b] = _relative_residual(state[b], residual, edges, tiny)
        if not np.isfinite(norm):  # a maximum passes over NaN, a sum does not
            residuals[b] = np.nan
        if not residuals[b] > tolerance:
            continue
        stalled[b] = 0 if norm < 0.25 * best[b] else (stalled[b] + 1) % (2 * _PATIENCE)
        if not is_first and (norm > 4.0 * best[b] or stalled[b] >= _PATIENCE):
            taken[b] = 0
        elif not is_first:
            change = steps[b, taken[b] % depth]
            for i in range(n):
                change[0, i] = state[b, i] - previous[b, 0, i]
                change[1, i] = residual[i] - previous[b, 1, i]
            taken[b] += 1
        if stalled[b] == 0:
            best[b] = min(best[b], norm)
        for i in range(n):
            previous[b, 0, i] = state[b, i]
            previous[b, 1, i] = residual[i]
            state[b, i] = swept[b, i]
        if stalled[b] < _PATIENCE:
            _extrapolate(state[b], residual, steps[b], taken[b], negligible)


class Mixing:
    """What :func:`mix` remembers of one batch; kept to spare the allocations.

    Args:
        batch: examples.
        sizes: of the kept layers.
        dtype: float32 or float64.
    """

    def __init__(self, batch: int, sizes: list[int], dtype: np.dtype[np.floating]) -> None:
        n = sum(sizes)
        self.batch = batch
        self._edges = np.cumsum([0, *sizes])
        self._tiny = np.finfo(dtype).tiny
        self._previous = np.empty((batch, 2, n), dtype)
        self._steps = np.empty((batch, DEPTH, 2, n), dtype)
        self._taken: NDArray[np.int64] = np.zeros(batch, np.int64)
        self._best = np.empty(batch)
        self._stalled: NDArray[np.int64] = np.zeros(batch, np.int64)
        self._residuals = np.empty(batch, dtype)
        self._is_first = True

    def begin(self) -> None:
        """Forget everything: a phase depends on nothing that ran before it."""
        self._is_first = True
        self._taken[:] = 0
        self._best[:] = np.inf
        self._stalled[:] = 0

    def step(self, kept: list[Floats], swept: list[Floats], tolerance: float) -> Floats:
        """Replace the kept layers' voltages, each (batch, n), by the next ones.

        Args:
            kept: the state that was swept; examples that have settled stay.
            swept: what the sweep made of it.
            tolerance: relative residual of a settled example.

        Returns:
            (batch,) relative residuals of the state that was swept.
        """
        whole = kept[0] if len(kept) == 1 else np.concatenate(kept, axis=1)
        after = swept[0] if len(kept) == 1 else np.concatenate(swept, axis=1)
        mix(
            self._is_first,
            tolerance,
            self._tiny,
            self._edges,
            whole,
            after,
            self._previous,
            self._steps,
            self._taken,
            self._best,
            self._stalled,
            self._residuals,
        )
        self._is_first = False
        if len(kept) > 1:
            for volts, first, last in zip(kept, self._edges, self._edges[1:], strict=False):
                volts[:] = whole[:, first:last]
        return self._residuals.copy()
