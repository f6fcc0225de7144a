"""Simulated circuits: steady states of nonlinear resistive networks.

The numerical modules import nothing else of this project; only the adapters, which make a
circuit a :class:`hil.Substrate`, know ``hil``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim_backend.crossbar.crossbar import solve_crossbar

__all__ = ["solve_crossbar"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: the solver brings a compiler along."""
    if name == "solve_crossbar":
        from sim_backend.crossbar.crossbar import solve_crossbar

        return solve_crossbar
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
