"""Other addresses in the text of a bench file, everything else kept as it was written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import tomli_w

__all__ = ["loopback", "with_addresses"]

_LOOPBACK = re.compile(r"TCPIP\d*::(127\.0\.0\.1|localhost)::(\d+)::SOCKET\Z", re.IGNORECASE)


def loopback(address: str) -> str | None:
    """``HOST:PORT`` of a VISA socket on this machine; None for every other address."""
    found = _LOOPBACK.match(address)
    return None if found is None else f"{found[1]}:{found[2]}"


def with_addresses(text: str, addresses: Mapping[str, str]) -> str:
    """A bench file's text with other addresses.

    Comments stay where addresses are written as ``address = "..."``; otherwise the tables are
    written anew.

    Args:
        text: TOML of a bench.
        addresses: new ones by the names of the instruments.
    """
    tables = tomllib.loads(text)
    wanted = tomllib.loads(text)
    edited = text
    for name, address in addresses.items():
        before = tables["instruments"][name]["address"]
        wanted["instruments"][name]["address"] = address
        edited = _replaced(edited, before, address)
    return edited if _parsed(edited) == wanted else tomli_w.dumps(wanted)


def _replaced(text: str, before: str, address: str) -> str:
    """The first ``address = "before"`` that is no comment, with another value."""
    pattern = rf"""(?m)^([^#\n]*\baddress\s*=\s*)(["']){re.escape(before)}\2"""
    return re.sub(pattern, lambda found: f'{found[1]}"{address}"', text, count=1)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
