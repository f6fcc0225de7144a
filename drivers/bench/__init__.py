"""A lab bench as a substrate: what is wired to what, who may do how much, and in which order."""
