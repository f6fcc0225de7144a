"""Ways to exchange messages with an instrument; see ``interface`` for the contract."""
