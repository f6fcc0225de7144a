"""Threads: one BLAS thread, and compiled kernels that split the work themselves.

Every large product here runs inside a compiled kernel that has already given each core its
rows.  OpenBLAS with threads of its own would then fight with the OpenMP threads of those
kernels: both spin while they wait, and on as many cores as threads each waits for the other's
turn.  Measured on two cores for 1568-1024-10 at batch 32: 8,000 examples/s with both pools,
21,000 with one BLAS thread and the spinning bounded.

The OpenMP runtime reads its settings when it is loaded, which numba does at the first parallel
kernel; :func:`prepare` has to run before that, and does when this module is imported.  Where no
OpenMP runtime is installed (libgomp), numba uses its own work queue: results are the same, but
starting a kernel costs some 100 microseconds instead of 2, which small batches feel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import numba
from threadpoolctl import threadpool_limits

__all__ = ["limited", "prepare", "usable_cores"]

_SPINS = "30000"
"""Rounds an idle OpenMP thread spins before it sleeps: some tens of microseconds, enough to
bridge the gap between two kernels of a step, too short to starve other processes."""


def prepare() -> None:
    """Set OpenMP up, unless the user has; may be repeated."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


prepare()


def usable_cores() -> int:
    """How many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every platform
        return os.cpu_count() or 1


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Limit BLAS to one thread and compiled kernels to ``threads``; restore both on leaving.

    Args:
        threads: at least 1; more than the machine offers means all it offers.
    """
    # The BLAS that kernels call is scipy's; a library must be loaded to be limited.
    import_module("scipy.linalg.cython_blas")
    offered = int(vars(numba.config)["NUMBA_NUM_THREADS"])
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(threads, offered)))
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        numba.set_num_threads(before)
