"""Calibration routines that run on any substrate, and the wrapper that applies their table.

Depends on ``hil``'s core alone.
"""
