"""Benches as the command line has them: how instruments are reached, what fits, what is told."""
