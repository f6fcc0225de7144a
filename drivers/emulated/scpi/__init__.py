"""A SCPI interpreter: framing, header tree, parameters, status system; no instrument in it.

An instrument lists its commands (``commands``), most of them as settings (``settings``), and
hands them to an engine (``engine``), which is what a server or a transport talks to.
"""
