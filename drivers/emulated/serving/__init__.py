"""Emulated instruments on sockets and pseudo-terminals, for clients that know nothing of us."""
