"""Crossbars whose wires have resistance.

``crossbar`` is the front: :func:`~sim_backend.crossbar.crossbar.solve_crossbar` for currents,
:class:`~sim_backend.crossbar.crossbar.Crossbar` for many inputs to one array; ``ports`` shows an
array to a circuit around it, ``newton`` does devices that have a curve.

Below, an array is cut into leaves of 8 x 8 devices (``layout``, ``leaves``), these are reduced to
the nodes at their edges (``leaf_program``, ``leaf_kernels``) and joined in pairs, again and again,
until the drivers and column ends are left (``join_kernels``, ``level_kernels``, ``reduction``):
nested dissection, with blocks known by their ports.  ``factor`` answers what is then asked.

No step subtracts: conductances between ports are sums of products of conductances, and pivots are
sums of conductances.  Every number is therefore exact to rounding error relative to itself,
whether wires have 1 nOhm or 1 GOhm, and an ideal wire is one that conducts 1e22 times better than
any device.
"""
