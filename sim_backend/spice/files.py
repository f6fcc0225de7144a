"""Files a netlist includes.

``.include file`` puts a file's statements where it stands; ``.lib file section`` puts those
between ``.lib section`` and ``.endl`` of a library (ngspice manual, section on .include and
.lib).  Names are relative to the including file.  Only files inside the folder of the main
netlist are read, symbolic links resolved, so that a netlist from elsewhere cannot look around.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import MOST_CHARACTERS, Line, Statements, split_statements

__all__ = ["gather", "read_text"]

_MOST_NESTED = 20
_MOST_FILES = 1000
_ARGUMENT = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\s\"']+)")


class _File(NamedTuple):
    """A file, or a section of one, that is being read.

    Attributes:
        path: as named, from which the names in it are relative.
        real: with symbolic links resolved.
        section: of a library, or None.
    """

    path: Path
    real: Path
    section: str | None


def read_text(path: Path) -> str:
    """Text of a netlist; bytes that are no UTF-8, as in old comments, are taken for Latin-1.

    Raises:
        NetlistError: if the file is too large, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise NetlistError("this is not a file; name a netlist", str(path))
        if size > MOST_CHARACTERS:
            raise NetlistError(f"{size} bytes, more than {MOST_CHARACTERS}; split it", str(path))
        content = path.read_bytes()
    except OSError as error:
        raise NetlistError(f"cannot be read: {error.strerror or error}", str(path)) from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def gather(text: str, path: Path | None) -> Statements:
    """Statements of a netlist, with those of the files it includes in their places."""
    if len(text) > MOST_CHARACTERS:
        raise NetlistError(f"more than {MOST_CHARACTERS} characters; split the netlist")
    name = None if path is None else str(path)
    main = split_statements(text, name, titled=True)
    if not _includes(main.lines):
        return main
    gatherer = _Gatherer(path)
    gatherer.add(main.lines, [] if path is None else [_File(path, path.resolve(), None)])
    return Statements(main.title, gatherer.lines, main.control + gatherer.control)


def _includes(lines: Sequence[Line]) -> bool:
    return any(line.text[:4].lower() in (".inc", ".lib") for line in lines)


class _Gatherer:
    def __init__(self, main: Path | None) -> None:
        self.lines: list[Line] = []
        self.control: list[Line] = []
        self._folder = None if main is None else main.parent.resolve()
        self._characters = 0
        self._files = 0

    def add(self, lines: Sequence[Line], stack: list[_File]) -> None:
        for line in lines:
            word = line.text.split(maxsplit=1)[0].lower()
            if word in (".inc", ".include"):
                self._include(line, None, stack)
            elif word == ".lib":
                self._include(line, "section", stack)
            else:
                self.lines.append(line)

    def _include(self, line: Line, wanted: str | None, stack: list[_File]) -> None:
        name, section = _arguments(line, wanted)
        file = self._find(line, name, section, stack)
        if any(file[1:] == other[1:] for other in stack):
            raise line.error(f"`{name}` includes itself; break the circle")
        if len(stack) > _MOST_NESTED or self._files >= _MOST_FILES:
            raise line.error(
                f"includes nested more than {_MOST_NESTED} deep, or more than {_MOST_FILES} files"
            )
        self._files += 1
        try:
            text = read_text(file.path)
        except NetlistError as error:
            raise line.error(f"{error.path} {error.message}") from None
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise line.error(f"files of more than {MOST_CHARACTERS} characters in all")
        statements = split_statements(text, str(file.path), titled=False)
        inner = statements.lines if section is None else _section(statements.lines, section, line)
        self.control += statements.control
        self.add(inner, [*stack, file])

    def _find(self, line: Line, name: str, section: str | None, stack: list[_File]) -> _File:
        if self._folder is None:
            raise line.error(
                "a netlist given as a string has no folder to include files from; give its path"
            )
        path = stack[-1].path.parent / name
        real = path.resolve()
        if not real.is_relative_to(self._folder):
            raise line.error(
                f"`{name}` is outside the folder of the netlist, {self._folder}; copy it there"
            )
        return _File(path, real, section)


def _arguments(line: Line, wanted: str | None) -> tuple[str, str | None]:
    found = _ARGUMENT.findall(line.text)[1:]
    arguments = ["".join(groups) for groups in found]
    if wanted is None and len(arguments) == 1:
        return arguments[0], None
    if wanted is not None and len(arguments) == 2:
        return arguments[0], arguments[1].lower()
    if wanted is not None:
        raise line.error(
            "outside of a library .lib takes a file and a section; for a file, .include"
        )
    raise line.error(
        "takes one file name, in quotes if it has blanks, and nothing may continue the line"
    )


def _section(lines: Sequence[Line], section: str, call: Line) -> list[Line]:
    """The statements of a section; those outside of all sections are ignored, as in ngspice."""
    inside: list[Line] | None = None
    chosen: list[Line] | None = None
    for line in lines:
        words = line.text.lower().split()
        if words[0] == ".lib" and len(words) == 2:
            if inside is not None:
                raise line.error("a section inside another; end the first with .endl")
            inside = []
            if words[1].strip("\"'") == section:
                if chosen is not None:
                    raise line.error(f"a second section `{section}`; rename one")
                chosen = inside
        elif words[0] == ".endl":
            if inside is None:
                raise line.error("an .endl without .lib; delete it")
            inside = None
        elif inside is not None:
            inside.append(line)
    if chosen is None:
        raise call.error(f"the library has no section `{section}`; correct the spelling")
    if inside is not None:
        raise call.error("the library's last section has no .endl; add it")
    return chosen
