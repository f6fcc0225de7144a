"""Programmable devices inside of training, as substrates around an exact one.

* :mod:`.config`: the key ``substrate.devices``.
* :mod:`.substrate`: devices that are programmed by pulses, with all that is wrong with them.
* :mod:`.adjustable`: ideal programming of devices whose conductances are off by fixed factors.
* :mod:`.wrapper`: what both hand on to the substrate inside.
* :mod:`.exposure`: who is disturbed by pulses and by reading.
* :mod:`.making`: which of them a configuration asks for.
"""
