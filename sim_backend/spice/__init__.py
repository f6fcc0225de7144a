"""Netlists in the language of SPICE: read into circuits, and written from them."""
