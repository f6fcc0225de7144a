"""How many threads work on a crossbar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba

from sim_backend.nodal.blas import one_thread

__all__ = ["workers"]

_LITTLE = 1 << 13
"""Devices times examples up to which one thread is as quick: a few hundred microseconds.  Where
others use the machine too, a second thread may wait for its turn for longer than that."""


@contextmanager
def workers(n_values: int) -> Iterator[None]:
    """One BLAS thread, and where there is little to do one thread of kernels too.

    Args:
        n_values: devices times examples.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(1 if n_values <= _LITTLE else before)
    try:
        with one_thread():
            yield
    finally:
        numba.set_num_threads(before)
