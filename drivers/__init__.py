"""Instrument drivers and the bench substrate.

Depends on ``hil``'s core alone; the emulated instruments may also use ``sim_backend``.
"""
