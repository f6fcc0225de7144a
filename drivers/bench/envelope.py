"""What devices can come to see at most, whatever happens: worked out before anything is sent."""

from __future__ import annotations

from drivers.bench.config import BenchConfig, ProgrammingConfig

__all__ = [
    "SOURCE_SHARE",
    "SOURCE_VOLTS",
    "half_select_volts",
    "largest_phase_volts",
    "pass_amps",
    "phase_drop_volts",
    "with_errors",
]

SOURCE_SHARE = 1e-3
"""Of a level: more than the gain errors of the sources driven here (2400: 0.02 %, and the like)."""

SOURCE_VOLTS = 2e-3
"""More than their offsets (600 uV on the 2 V range, 2.4 mV on the 20 V range within the share)."""


def with_errors(volts: float) -> float:
    """The most that sources bring where this is asked of them; two of them make a drop."""
    return volts * (1.0 + SOURCE_SHARE) + 2.0 * SOURCE_VOLTS


def phase_drop_volts(config: BenchConfig) -> tuple[float, ...]:
    """Largest voltage across a device of each crossbar in any phase, settled or not.

    With each layer's voltages divided by the gains before it, amplified or not, the network is
    one of resistors and diodes: ``sum g (u_i - u) = A B sum g' (u - w)`` at a hidden node. No node
    of such a network leaves the range of what is forced on it, and a device spans that range
    at most. Forced are inputs (bias lines among them), the references of diodes, and at the
    outputs the compliance of the nudge sources.
    """
    phases, network = config.phases, config.network
    gain = 1.0 if network.amplifiers is None else network.amplifiers.forward_gain
    last = len(network.hidden)
    forced = [phases.max_input_volts, phases.nudge_limit_volts / gain**last]
    forced += [phases.max_input_volts / gain**k for k, has in enumerate(network.biased) if has]
    forced += [network.neuron_volts / gain**k for k in range(last)]
    return tuple(2.0 * max(forced) * gain**k for k in range(last + 1))


def largest_phase_volts(config: BenchConfig) -> tuple[float, float]:
    """Largest of :func:`phase_drop_volts`, and the same with errors of sources, amplified ones too.

    Errors at the inputs come to later crossbars times the gain of the amplifiers between.
    """
    amplifiers = config.network.amplifiers
    gain = 1.0 if amplifiers is None else amplifiers.forward_gain
    largest = max(phase_drop_volts(config))
    amplified = max(1.0, gain ** len(config.network.hidden))
    return largest, with_errors(largest / amplified) * amplified


def half_select_volts(programming: ProgrammingConfig) -> float:
    """Largest voltage across a device that is not meant while another one is pulsed."""
    largest = max(programming.set_volts, programming.reset_volts)
    return {"half": largest / 2.0, "third": largest / 3.0, "gate": 0.0}[programming.scheme]


def pass_amps(
    config: BenchConfig, shape: tuple[int, int], n_rows: int, n_columns: int
) -> tuple[float, float]:
    """The most that the sources of rows and of columns deliver in a pass, their errors included.

    All devices at the upper end of their window. With V/2 a selected row sees V at selected columns
    and V/2 at others; with V/3 it sees V and V/3.

    Args:
        config: the bench file.
        shape: rows and columns of the crossbar.
        n_rows: selected.
        n_columns: selected.
    """
    programming = config.programming
    largest = with_errors(max(programming.set_volts, programming.reset_volts))
    other = with_errors(half_select_volts(programming))
    siemens = config.network.g_max_siemens
    one_row = siemens * (n_columns * largest + (shape[1] - n_columns) * other)
    one_column = siemens * (n_rows * largest + (shape[0] - n_rows) * other)
    return n_rows * one_row, n_columns * one_column
