"""Energising a bench, which happens only when told to, and never letting it out of sight."""

from __future__ import annotations

import atexit
import contextlib
import weakref

from drivers.bench.config import BenchConfig
from hil.bench.reaching import Reach
from hil.errors import ConfigurationError, HilError
from hil.pulsing import compile_kernels
from hil.substrate import Substrate

__all__ = ["check_reach", "open_reached"]

_OPENED: weakref.WeakSet[Substrate] = weakref.WeakSet()


def check_reach(substrate: object, reach: Reach | None) -> Reach | None:
    """Refuse a bench that nobody said how to reach, and a way to a bench that is none.

    Args:
        substrate: its configuration.
        reach: the way.

    Raises:
        ConfigurationError: see above; nothing was energised.
    """
    is_bench = isinstance(substrate, BenchConfig)
    if is_bench and reach is None:
        raise ConfigurationError(
            "this experiment runs on a bench, and nothing was energised: say --energise for the "
            "real instruments, --emulated for emulated ones in this process, or, where you "
            "train, --dry-run to see the messages and send none",
            is_bench=True,
        )
    if not is_bench and reach is not None:
        raise ConfigurationError(
            "--energise, --emulated, --dry-run and --wire-log are for benches, and this experiment "
            f"has a {getattr(substrate, 'kind', 'simulated')} substrate; name one with "
            "--bench BENCH.toml, or leave them out"
        )
    return reach


def open_reached(config: BenchConfig, reach: Reach, seed: int) -> Substrate:
    """An energised bench; whoever forgets to close it, the interpreter does so when it ends.

    Raises:
        HilError: see :func:`drivers.bench.substrate.open_bench`; the bench was made safe.
    """
    from drivers.bench.substrate import open_bench

    # The board's dead-man does not wait for a compiler.
    compile_kernels()
    reached = reach(config, seed)
    return open_bench(config, reached.open_transport, reached.sleep, made=_OPENED.add)


@atexit.register
def _close_all() -> None:
    """A signal may come between the opening and whoever would have closed: its last chance."""
    for substrate in list(_OPENED):
        with contextlib.suppress(HilError):
            substrate.close()
