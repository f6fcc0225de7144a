"""Crossbars whose wires have resistance."""
