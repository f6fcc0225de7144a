"""Programmable devices: how conductances answer to pulses, time, reading and selection.

Devices are taken as formed.  Everything is vectorised over devices on one flat axis, in siemens,
and draws from generators that the caller passes in.

* :mod:`.interface`: what a pulse model is.
* :mod:`.linear_step`, :mod:`.exponential_step`, :mod:`.vteam`: pulse models.
* :mod:`.stuck`, :mod:`.drift`, :mod:`.read_noise`, :mod:`.disturb`: what surrounds them.
* :mod:`.conduction`, :mod:`.access`: current-voltage curves and their pseudo-power, and the
  transistor in series.
* :mod:`.memristors`: all of it together, a simulated chip.
* :mod:`.config`, :mod:`.catalogue`: configuration, and published devices (``presets``).
* :mod:`.response`: the answer of many devices to pulses up and down.
"""
