"""Drivers: one module per instrument, on top of a transport; no circuit, no learning."""
