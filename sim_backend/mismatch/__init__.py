"""Parts of a circuit that differ from one another: amplifiers and diodes, drawn once a chip.

``config`` says how much, ``drawn`` holds what one chip got, ``layered`` puts it into stacks of
crossbars and ``circuits`` into circuits of single elements.  Only the simulated circuit changes;
the controller goes on with nominal values.
"""
