"""Layered networks: stacks of crossbars with one nonlinear neuron per node.

``network`` holds the circuit and its sums, ``neurons`` the diode models, ``reduced`` and
``sweeps`` the two exact solvers, ``programming`` the passes over the devices, ``adapter``
the :class:`hil.Substrate`.
"""
