"""What devices can come to see at most, whatever happens: worked out before anything is sent."""

from __future__ import annotations

from drivers.bench.config import BenchConfig, ProgrammingConfig

__all__ = ["half_select_volts", "phase_drop_volts"]


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


def half_select_volts(programming: ProgrammingConfig) -> float:
    """Largest voltage across a device that is not meant while another one is pulsed."""
    largest = max(programming.set_volts, programming.reset_volts)
    return {"half": largest / 2.0, "third": largest / 3.0, "gate": 0.0}[programming.scheme]
