"""Blocks: a body, its checksum behind it, the length before it (SPECIFICATION.md, 4)."""

from __future__ import annotations

import binascii

__all__ = ["CHECKSUM_BYTES", "checksum", "definite", "opened", "sealed"]

CHECKSUM_BYTES = 2


def checksum(data: bytes | memoryview) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF; 0 over a body and its own checksum."""
    return binascii.crc_hqx(data, 0xFFFF)


def sealed(body: bytes) -> bytes:
    """The body with its checksum, high byte first."""
    return body + checksum(body).to_bytes(2, "big")


def opened(payload: bytes) -> memoryview | None:
    """The body without a copy; None if the checksum does not agree."""
    if len(payload) < CHECKSUM_BYTES or checksum(payload) != 0:
        return None
    return memoryview(payload)[:-CHECKSUM_BYTES]


def definite(body: bytes) -> bytes:
    """A definite-length block (IEEE 488.2, 8.7.9) around a sealed body."""
    length = str(len(body) + CHECKSUM_BYTES).encode("ascii")
    return b"#%d%s%s" % (len(length), length, sealed(body))
