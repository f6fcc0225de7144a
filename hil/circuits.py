"""Operating points of netlists, for the command line."""

from __future__ import annotations

from pathlib import Path

from hil.errors import ConfigurationError, SettleError
from sim_backend.nodal.checks import CircuitError
from sim_backend.nodal.solver import Solver
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import read_netlist

__all__ = ["operating_point"]


def operating_point(path: Path) -> dict[str, dict[str, float]]:
    """Solve a netlist for its operating point.

    Args:
        path: a netlist in the language of SPICE; see :mod:`sim_backend.spice`.

    Returns:
        ``nodes``: volts by name, and ``sources``: amps through each voltage source from plus to
        minus, by name.

    Raises:
        ConfigurationError: the file cannot be read, is no netlist, has elements that are not
            supported, or a circuit without a unique solution; the message names line or element.
        SettleError: no solution was found.
    """
    try:
        netlist = read_netlist(path)
        solver = Solver(netlist.circuit)
    except (NetlistError, CircuitError) as error:
        raise ConfigurationError(str(error), path=str(path)) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}; check the path", path=str(path)
        ) from error
    solution = solver.solve()
    if not solution.ok[0]:
        raise SettleError(
            f"no operating point of {path} was found: the best attempt leaves "
            f"{solution.residual[0]:.2g} of the currents at a node over; give the circuit a "
            "resistance where it has only ideal elements, or a larger gmin in .options",
            residual=float(solution.residual[0]),
        )
    named = solver.equations.n_named
    n_sources = solver.equations.n_voltage_sources
    volts = zip(solver.nodes[:named], solution.node_volts[0], strict=False)
    amps = zip(solver.sources[:n_sources], solution.source_amps[0], strict=True)
    return {
        "nodes": {name: float(v) for name, v in volts},
        "sources": {name: float(i) for name, i in amps},
    }
