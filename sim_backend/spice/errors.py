"""What is wrong with a netlist, and where."""

from __future__ import annotations

__all__ = ["NetlistError"]

_MOST_CHARACTERS = 120


class NetlistError(ValueError):
    """A netlist that cannot be read, or a circuit that cannot be written.

    Attributes:
        message: likely cause and remedy.
        path: file, or None where the netlist is a string.
        line: line number from 1, or None where there is none.
        text: the offending statement, or None.
    """

    def __init__(
        self,
        message: str,
        path: str | None = None,
        line: int | None = None,
        text: str | None = None,
    ) -> None:
        super().__init__(message, path, line, text)
        self.message = message
        self.path = path
        self.line = line
        self.text = text

    def __str__(self) -> str:
        place = self.path or ""
        if self.line is not None:
            place = f"{place}:{self.line}" if place else f"line {self.line}"
        text = self.text or ""
        if len(text) > _MOST_CHARACTERS:
            text = text[:_MOST_CHARACTERS] + "..."
        return ": ".join(part for part in (place, text and f"`{text}`", self.message) if part)

    def at(self, path: str | None, line: int, text: str) -> NetlistError:
        """The same error with its place, unless it has one already."""
        if self.line is not None:
            return self
        return NetlistError(self.message, path, line, text)
