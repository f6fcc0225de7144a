"""The few ways an exchange fails, worded once: what happened, likely cause, remedy, evidence."""

from __future__ import annotations

from hil.errors import ProtocolError, TransportError, TransportTimeoutError

__all__ = ["closed", "late", "lost", "malformed", "missing_package"]


def late(address: str, sent: bytes, received: bytes, seconds: float) -> TransportTimeoutError:
    """No reply, or a part of one, within the time allowed."""
    what = f"only {len(received)} bytes of a reply" if received else "no reply"
    return TransportTimeoutError(
        f"{address}: {what} to {_shown(sent)} within {seconds:g} s. Either the instrument did not "
        "understand the message (read its error queue), or it is busy (allow more time), "
        "or another program holds its session, or it speaks another language or terminator",
        address=address,
        sent=sent,
        received=received,
    )


def malformed(address: str, sent: bytes, received: bytes, problem: str) -> ProtocolError:
    """A reply that is not framed as the request promised."""
    return ProtocolError(
        f"{address}: the reply to {_shown(sent)} {problem}: it begins {_shown(received)}. "
        "Probably a late reply to an earlier message: clear the session and ask again",
        address=address,
        sent=sent,
        received=received,
    )


def lost(address: str, sent: bytes, received: bytes, cause: Exception) -> TransportError:
    """The session broke while a message was under way."""
    return TransportError(
        f"{address}: the connection failed at {_shown(sent)} ({cause}). Check cable and power, "
        "then open the session again; whether the message was carried out is not known",
        address=address,
        sent=sent,
        received=received,
    )


def closed(address: str, sent: bytes) -> TransportError:
    """A message for a session that was closed."""
    return TransportError(
        f"{address}: {_shown(sent)} was not sent, the session is closed; open a new one",
        address=address,
        sent=sent,
        received=b"",
    )


def missing_package(address: str, package: str, install: str) -> TransportError:
    """The library that would carry the messages is not installed."""
    return TransportError(
        f"{address} needs the Python package {package}, which is not installed here: "
        f"pip install {install}",
        address=address,
        package=package,
    )


def _shown(message: bytes, longest: int = 60) -> str:
    """Bytes as a message can show them: text, shortened."""
    text = repr(message[:longest])[1:]
    return f"{text}..." if len(message) > longest else text
