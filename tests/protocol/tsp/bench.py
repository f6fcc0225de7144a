"""Emulated TSP instruments as tests talk to them: text in, lines out."""

from __future__ import annotations

from drivers.emulated.interface import EmulatedInstrument


def say(instrument: EmulatedInstrument, *lines: str) -> str:
    """Send lines and return everything the instrument answered."""
    reply = instrument.receive("".join(f"{line}\n" for line in lines).encode("latin-1"))
    return reply.decode("latin-1")


def ask(instrument: EmulatedInstrument, expressions: str) -> list[str]:
    """The values of Lua expressions, as the instrument prints them."""
    reply = say(instrument, f"print({expressions})")
    assert reply.endswith("\n"), f"no reply to {expressions}: {errors(instrument)}"
    return reply.removesuffix("\n").split("\t")


def value(instrument: EmulatedInstrument, expression: str) -> float:
    """The value of a numeric Lua expression."""
    return float(ask(instrument, expression)[0])


def errors(instrument: EmulatedInstrument) -> list[tuple[int, str]]:
    """The error queue, emptied."""
    found = []
    while True:
        code, text, *_ = say(instrument, "print(errorqueue.next())").split("\t")
        if float(code) == 0:
            return found
        found.append((int(float(code)), text))
