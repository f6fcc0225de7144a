"""Threads of the simulator, set deliberately."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("GOMP_SPINCOUNT", "30000")


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """BLAS on one thread, compiled kernels on ``threads``; both restored afterwards."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    with threadpool_limits(1, "blas"):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        try:
            yield
        finally:
            numba.set_num_threads(before)
