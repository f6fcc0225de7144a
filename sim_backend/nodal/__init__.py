"""Nodal analysis of any network of resistors, sources, diodes and amplifiers."""
