"""A lab bench as a substrate: phases by its wiring, devices through its switches."""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np

from drivers.bench.access import Access
from drivers.bench.config import BenchConfig
from drivers.bench.equipment import Equipment, TransportFactory
from drivers.bench.ledger import PulseLedger
from drivers.bench.phases_board import BoardPhases
from drivers.bench.phases_smu import SmuPhases
from drivers.bench.roles import Sleep
from drivers.bench.shutdown import Watchdog, make_safe_after, shut_down
from drivers.bench.verify import checked_targets, write_verify
from hil.arrays import Floats, IntArray
from hil.errors import (
    ClosedError,
    ConfigurationError,
    HilError,
    ProgramError,
    SafetyError,
    UsageError,
)
from hil.interruption import deferred_signals, interrupted_once
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec

__all__ = ["BenchSubstrate", "BoardBench", "ReadingBoardBench", "SmuBench", "open_bench"]

_MOST_ROUNDS = 60
"""Of writing and reading until a device is given up."""


def spec_of(config: BenchConfig) -> SubstrateSpec:
    """What the bench file states."""
    network, phases, access = config.network, config.phases, config.access
    return SubstrateSpec(
        kind="bench",
        topology=network.topology,
        energy=network.energy,
        max_input_volts=phases.max_input_volts,
        max_nudge_amps=phases.max_nudge_amps,
        window_siemens=(network.g_min_siemens, network.g_max_siemens),
        pulse_siemens=network.pulse_siemens,
        settle_tolerance=phases.settle_tolerance,
        noise_volts=phases.noise_volts,
        pulse_spread=network.pulse_spread,
        read_siemens=0.0 if access is None else access.read_siemens,
    )


class BenchSubstrate(Substrate):
    """What both wirings have in common: order, budget, watchdog, and the way to safety.

    Made by :func:`open_bench`.  Once made safe, by whomever, it is not energised again: open the
    bench anew.

    Args:
        config: the bench file.
        equipment: its instruments, owned from now on.
        phases: energised.
        ledger: of the pulses of this session.
        sleep: waits.
        now: monotonic seconds, of the watchdog.
    """

    def __init__(
        self,
        config: BenchConfig,
        equipment: Equipment,
        phases: SmuPhases | BoardPhases,
        ledger: PulseLedger,
        sleep: Sleep,
        now: Callable[[], float],
    ) -> None:
        super().__init__(spec_of(config))
        self.config = config
        self.equipment = equipment
        self._phases = phases
        self._sleep = sleep
        self._lock = threading.RLock()
        self._is_over = self._is_safe = self._was_told = False
        self._ledger = ledger
        self._watchdog = Watchdog(config.watchdog_seconds, now, self._lock, self._idle)
        self._watchdog.start()

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        """Settle several drives of one batch, example by example; see :class:`SettlesEach`.

        Raises:
            UsageError: wrong shape or dtype, or batches of different sizes.
            SafetyError: a level of any drive is outside the limits; nothing was applied.
            TransportError, InstrumentError: the bench was made safe and is closed.
        """
        self._check_open()
        for drive in drives:
            self._check_drive(drive)
        sizes = {len(drive.input_volts) for drive in drives}
        if len(sizes) > 1:
            raise UsageError(f"the drives of an exchange are of one batch size; got {sizes}")
        if near is not None and drives:
            self._check_near(near, sizes.pop())
        if not drives:
            return []
        with self._in_use():
            return self._phases.settle_each(drives)

    def write_counts(self) -> IntArray:
        """(n_devices,) pulses since the bench was opened, or the last load."""
        self._check_open()
        return self._ledger.counts()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,)."""
        self._check_open()
        self._ledger.load(counts)

    # --- hooks --------------------------------------------------------------------------------

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        with self._in_use():
            return self._phases.settle_each([drive])[0]

    def _pulse(self, counts: IntArray) -> None:
        if not counts.any():
            return
        # As they came: what is too large for any other type is too much as well.
        self._ledger.check(counts)
        most = self.config.programming.most_pulses
        left = counts.astype(np.int64)
        with self._in_use():
            while left.any():
                part = np.clip(left, -most, most)
                self._apply(part)
                left -= part

    def _undisturbed(self) -> AbstractContextManager[None]:
        return deferred_signals()

    def _make_safe(self) -> None:
        with deferred_signals(), self._lock:
            try:
                self._idle()
            except HilError:
                # A second attempt that fails as well has nothing new to say.
                if not self._was_told:
                    self._was_told = True
                    raise
            finally:
                if self._closed:
                    self.equipment.close()

    @abc.abstractmethod
    def _apply(self, counts: IntArray) -> None:
        """Apply at most ``programming.most_pulses`` a device, and count them in the ledger."""

    # --- order --------------------------------------------------------------------------------

    def _idle(self) -> None:
        """Shut down, and never again once that has succeeded."""
        self._watchdog.stop()
        self._is_over = True
        if not self._is_safe:
            shut_down(self.config, self.equipment, self._sleep)
            self._is_safe = True

    def _check_open(self) -> None:
        super()._check_open()
        if self._watchdog.tripped:
            failure = self._watchdog.failure
            self._was_told = failure is not None
            raise ClosedError(
                f"nothing was asked of the bench for {self.config.watchdog_seconds:g} s, so its "
                + ("watchdog made it safe" if failure is None else f"watchdog acted, but {failure}")
                + "; open it again, or allow longer pauses (watchdog_seconds)"
            )
        if self._is_over:
            raise ClosedError("the bench was made safe; open it again to go on")

    @contextlib.contextmanager
    def _in_use(self, *harmless: type[HilError]) -> Iterator[None]:
        """Keep the watchdog away; after a failure of the bench make it safe at once.

        What was refused before anything was sent leaves the bench as it is, and so do errors
        that are ``harmless`` here.
        """
        with self._lock:
            self._check_open()
            try:
                yield
            except Exception as error:
                if not isinstance(error, (SafetyError, UsageError, ConfigurationError, *harmless)):
                    self.equipment.say_name(error)
                    self._make_safe_after(error)
                raise
            finally:
                self._watchdog.feed()

    def _make_safe_after(self, error: Exception) -> None:
        """The first error is the one to tell; what fails on the way out is noted with it."""
        try:
            with deferred_signals():
                self._idle()
        except HilError as further:
            self._was_told = True
            if isinstance(error, HilError):
                error.evidence["while_made_safe"] = further
            error.add_note(str(further))


class _Reading(BenchSubstrate):
    """A bench that reaches single devices."""

    _access: Access

    def read_conductance(self) -> Floats:
        """(n_devices,) siemens, each device read with all other lines at 0 V.

        Raises:
            InstrumentError: a reading in compliance or beyond the range.
        """
        self._check_open()
        with self._in_use(), self._reaching():
            found = self._access.read(None)
        self._phases.know(found)
        return found

    def program_conductance(self, target_siemens: Floats, tolerance_siemens: float) -> Floats:
        """Write and verify; see :class:`hil.substrate.ProgramsConductance`.

        Raises:
            UsageError: wrong shape, or outside the window.
            ProgramError: some devices cannot be brought there.
        """
        self._check_open()
        window, n_devices = self.spec.window_siemens, self.spec.topology.n_devices
        target = checked_targets(target_siemens, tolerance_siemens, window)
        if target.shape != (n_devices,):
            raise UsageError(
                f"give {n_devices} conductances, one a device; got an array of shape {target.shape}"
            )
        # Devices that do not get there are no failure of the bench; pulses that fail are, and are
        # seen as such where they are applied.
        with self._in_use(ProgramError):
            return write_verify(
                self.read_devices,
                self._pulse,
                target,
                window_siemens=window,
                pulse_siemens=self.spec.pulse_siemens,
                tolerance_siemens=tolerance_siemens,
                most_rounds=_MOST_ROUNDS,
            )

    def read_devices(self, devices: IntArray) -> Floats:
        """(n,) siemens of (n,) device numbers, read as by :meth:`read_conductance`.

        Raises:
            UsageError: there is no such device.
            InstrumentError: a reading in compliance or beyond the range.
        """
        self._check_open()
        # Before lines are handed over, so that nothing is half way between two owners.
        self._access.check(devices)
        with self._in_use(), self._reaching():
            return self._access.read(devices)

    @abc.abstractmethod
    def _reaching(self) -> AbstractContextManager[None]:
        """Lines belong to the access sources meanwhile."""


class SmuBench(_Reading):
    """Wiring (a): sources on every line, programmed through the matrix."""

    _phases: SmuPhases

    def __init__(
        self,
        config: BenchConfig,
        equipment: Equipment,
        phases: SmuPhases,
        access: Access,
        ledger: PulseLedger,
        sleep: Sleep,
        now: Callable[[], float],
    ) -> None:
        super().__init__(config, equipment, phases, ledger, sleep, now)
        self._access = access

    def _apply(self, counts: IntArray) -> None:
        with self._reaching():
            self._access.pulse(counts)

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        self._phases.rest()
        yield
        self._access.connect_work()


class BoardBench(BenchSubstrate):
    """Wiring (b): a sample-and-hold board runs, compares and programs."""

    _phases: BoardPhases

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Compare drops in the board; see :class:`hil.substrate.ComparesDrops`."""
        self._check_open()
        self._check_drive(first)
        self._check_drive(second)
        if len(first.input_volts) != len(second.input_volts):
            raise UsageError(
                f"phases to be compared have {len(first.input_volts)} and "
                f"{len(second.input_volts)} examples; pass the same batch"
            )
        if near is not None:
            self._check_near(near, len(first.input_volts))
        if not 0.0 <= dead_zone_volts < np.inf:
            raise UsageError(f"a dead zone is 0 V or more; got {dead_zone_volts!r}")
        with self._in_use():
            return self._phases.compare(first, second, dead_zone_volts)

    def _apply(self, counts: IntArray) -> None:
        # Before they are sent: pulses that fail half way have happened all the same.
        self._ledger.add(counts)
        self._phases.pulse(counts)


class ReadingBoardBench(_Reading, BoardBench):
    """The same with an SMU that reaches single devices through the matrix."""

    def __init__(
        self,
        config: BenchConfig,
        equipment: Equipment,
        phases: BoardPhases,
        access: Access,
        ledger: PulseLedger,
        sleep: Sleep,
        now: Callable[[], float],
    ) -> None:
        super().__init__(config, equipment, phases, ledger, sleep, now)
        self._access = access

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        self._phases.release()
        yield
        self._access.connect_work()
        self._phases.resume()


def open_bench(
    config: BenchConfig,
    open_transport: TransportFactory,
    sleep: Sleep = time.sleep,
    now: Callable[[], float] = time.monotonic,
    made: Callable[[BenchSubstrate], object] = lambda _: None,
) -> BenchSubstrate:
    """Connect, check who is there, reset, and energise at 0 V and 0 A.

    Args:
        config: the bench file.
        open_transport: opens a session with an instrument, by its name in the file.
        sleep: waits so many seconds.
        now: monotonic seconds.
        made: is given the bench before anything can come between it and the caller.

    Raises:
        ConfigurationError: another instrument than expected; nothing was switched on.
        HilError: an instrument does not answer or refuses; the bench was made safe.
    """
    with interrupted_once():
        equipment = Equipment.connect(config, open_transport, sleep)
        try:
            equipment.identify()
            try:
                equipment.reset()
                bench = _energised(config, equipment, sleep, now)
                made(bench)
                return bench
            except BaseException as error:
                equipment.say_name(error)
                make_safe_after(error, config, equipment, sleep)
                raise
        except BaseException:
            equipment.close()
            raise


def _energised(
    config: BenchConfig, equipment: Equipment, sleep: Sleep, now: Callable[[], float]
) -> BenchSubstrate:
    ledger = PulseLedger(config.network.topology.n_devices, config.programming.budget_pulses)
    access = None if config.access is None else Access(config, equipment, sleep, ledger)
    if config.phases.kind == "smu":
        if access is None:
            raise ConfigurationError("wiring with SMUs programs through access; describe it")
        smus = SmuPhases(config, equipment, sleep)
        _energise_access(access)
        smus.energise()
        return SmuBench(config, equipment, smus, access, ledger, sleep, now)
    # A board that does not fit is refused before anything is switched on.
    board = BoardPhases(config, equipment, sleep)
    if access is not None:
        _energise_access(access)
    board.energise()
    if access is None:
        return BoardBench(config, equipment, board, ledger, sleep, now)
    return ReadingBoardBench(config, equipment, board, access, ledger, sleep, now)


def _energise_access(access: Access) -> None:
    # With all outputs off: whether what a shutdown will close without asking can be closed.
    access.connect_idle()
    access.energise()
    access.connect_work()
