"""A worker process of :class:`hil.study.local_crew.LocalCrew`.

Only the standard library is imported before the number of threads is set: a worker has one
core, and libraries read these variables when they are loaded.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing import connection
from typing import Any

__all__ = ["serve"]

_ONE_THREAD = (
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def serve(pipe: connection.Connection[Any, Any]) -> None:
    """Do the jobs that come through a pipe, until it is closed.

    Ctrl-C reaches all processes of a terminal; what it means is for the parent to decide.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from hil.study.work import attempt

    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(attempt(pipe.recv()))


def _end_with_parent() -> None:
    """A parent that was killed cannot say so; nobody would take the results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
