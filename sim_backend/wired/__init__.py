"""Stacks of crossbars whose lines have resistance, as a :class:`hil.Substrate`.

``config`` says what is configured, ``equations`` joins the port admittances of the crossbars
(``sim_backend.crossbar``) to one small dense system in the neuron nodes, ``kernels`` solves it,
``network`` keeps it up to date, ``adapter`` is the substrate, ``bias`` the report of what lines
with resistance do to estimates, ``drawing`` the circuit for other simulators.
"""
