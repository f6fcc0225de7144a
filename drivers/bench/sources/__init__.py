"""Source-measure units and current sources in the role of :class:`drivers.bench.roles.Source`."""

from __future__ import annotations

from drivers.bench.sources.aim import Aimed
from drivers.bench.sources.making import SOURCES, make_source

__all__ = ["SOURCES", "Aimed", "make_source"]
