"""One BLAS thread while a circuit is solved.

Systems here are small or many: a second BLAS thread gains little, and on a machine that others
use too it waits for its turn for longer than the product takes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@functools.cache
def _libraries() -> list[Any]:
    # A library must be loaded to be found: that of numpy is, that of scipy is after this.
    import_module("scipy.linalg.cython_blas")
    controller: Any = ThreadpoolController()
    return list(controller.select(user_api="blas").lib_controllers)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread; restore its setting on leaving."""
    before = [library.get_num_threads() for library in _libraries()]
    for library in _libraries():
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, count in zip(_libraries(), before, strict=True):
            library.set_num_threads(count)
