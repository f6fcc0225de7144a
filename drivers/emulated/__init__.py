"""Instruments that speak the real dialects, all wired to one simulated world."""
