"""What every substrate that is a stack of crossbars is built with, and says of itself."""

from __future__ import annotations

from typing import TypedDict, Unpack

from hil.energy import EnergyModel
from hil.errors import ConfigurationError
from hil.substrate import SubstrateSpec
from hil.topology import Topology

__all__ = ["StackOptions", "refuse_floating", "stack_spec"]


class StackOptions(TypedDict):
    """Keyword arguments of ``LayeredSubstrate``, ``WiredSubstrate``, ``build_curved`` and so on.

    Attributes:
        amplified: whether amplifiers' outputs are nodes of their own in the topology, see
            :func:`hil.topology.layered`.
        energy_weights: see :class:`hil.energy.ResistorEnergy`.
        window_siemens: (g_min, g_max).
        pulse_siemens: change by one programming pulse.
        max_input_volts: limit of the input sources.
        max_nudge_amps: limit of the nudge sources.
    """

    amplified: bool
    energy_weights: tuple[float, ...]
    window_siemens: tuple[float, float]
    pulse_siemens: float
    max_input_volts: float
    max_nudge_amps: float


def stack_spec(
    kind: str,
    topology: Topology,
    energy: EnergyModel,
    settle_tolerance: float,
    **options: Unpack[StackOptions],
) -> SubstrateSpec:
    """The specification of a substrate with these options."""
    return SubstrateSpec(
        kind=kind,
        topology=topology,
        energy=energy,
        max_input_volts=options["max_input_volts"],
        max_nudge_amps=options["max_nudge_amps"],
        window_siemens=options["window_siemens"],
        pulse_siemens=options["pulse_siemens"],
        settle_tolerance=settle_tolerance,
    )


def refuse_floating(place: tuple[int, int] | None) -> None:
    """Refuse a network that cannot settle.

    Args:
        place: (layer, node), counted from 0, of a node that no conductance reaches, if any.

    Raises:
        ConfigurationError: there is one.
    """
    if place is not None:
        layer, node = place
        raise ConfigurationError(
            f"node {node} of layer {layer + 1} is reached by no conductance and would float; "
            "raise g_min_siemens above 0 or start from other conductances"
        )
