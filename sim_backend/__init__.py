"""Simulated circuits: steady states of nonlinear resistive networks.

The numerical modules import nothing else of this project; only the adapters, which make a
circuit a :class:`hil.Substrate`, know ``hil``.
"""
