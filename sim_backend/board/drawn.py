"""What differs from board to board, and never changes by use."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigurationError
from hil.topology import Topology

__all__ = ["BoardDrawn", "Floats"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BoardDrawn:
    """Constants of the channels of one board.

    Banks of holds are rows: A is 0, B is 1.  Holds of input nodes exist and are not used.
    The three numbers of a nonlinearity weigh the shapes of
    :func:`sim_backend.board.converters.nonlinearity`.

    Attributes:
        dac_gain: (n_inputs,).
        dac_offset_volts: (n_inputs,).
        dac_inl_lsb: (n_inputs, 3).
        nudge_gain: (n_outputs,).
        nudge_offset_amps: (n_outputs,).
        nudge_inl_lsb: (n_outputs, 3).
        hold_gain: (2, n_nodes).
        hold_offset_volts: (2, n_nodes).
        hold_step_volts: (2, n_nodes).
        hold_droop_volts_per_second: (2, n_nodes).
        comparator_offset_volts: (n_devices,).
        adc_gain: (1,) for a shared converter, else (n_nodes,).
        adc_offset_volts: as before.
        adc_inl_lsb: (1, 3) or (n_nodes, 3).
    """

    dac_gain: Floats
    dac_offset_volts: Floats
    dac_inl_lsb: Floats
    nudge_gain: Floats
    nudge_offset_amps: Floats
    nudge_inl_lsb: Floats
    hold_gain: Floats
    hold_offset_volts: Floats
    hold_step_volts: Floats
    hold_droop_volts_per_second: Floats
    comparator_offset_volts: Floats
    adc_gain: Floats
    adc_offset_volts: Floats
    adc_inl_lsb: Floats

    def check(self, topology: Topology, shared_adc: bool) -> None:
        """Refuse what was drawn for another network.

        Raises:
            ConfigurationError: an array has the wrong shape or holds what is not finite.
        """
        sizes: dict[str, tuple[int, ...]] = {
            "dac": (topology.inputs.size,),
            "nudge": (topology.outputs.size,),
            "hold": (2, topology.n_nodes),
            "comparator": (topology.n_devices,),
            "adc": (1 if shared_adc else topology.n_nodes,),
        }
        for field in fields(self):
            values: NDArray[Any] = getattr(self, field.name)
            wanted = sizes[field.name.partition("_")[0]]
            if field.name.endswith("_inl_lsb"):
                wanted = (*wanted, 3)
            if values.shape != wanted or not np.isfinite(values).all():
                raise ConfigurationError(
                    f"{field.name} of the board must be finite and of shape {wanted}; it has "
                    f"shape {values.shape}: draw a board for this network and configuration"
                )
