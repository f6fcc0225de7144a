"""Layered networks: stacks of crossbars with one nonlinear neuron per node.

``network`` holds the circuit and its sums, ``neurons`` the diode models, ``responses`` and
``shockley`` their answers, ``reduced`` and ``sweeps`` the two exact solvers, ``injection`` the
currents of the inputs, ``programming`` (with ``slopes``) the passes over the devices, ``adapter``
(with ``passes``) the :class:`hil.Substrate`, ``stack`` what substrates of other packages that are
stacks of crossbars have in common with it.
"""
