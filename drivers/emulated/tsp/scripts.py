"""Scripts: ``loadscript ... endscript``, ``script.*`` and the script objects.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, "Fundamentals of scripting for TSP".
Nothing is kept over a power cycle, so ``save`` only notes the name in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable
from drivers.emulated.tsp.sandbox import Sandbox

__all__ = ["Loader", "Scripts"]

_LARGEST_SCRIPT = 1_000_000
_MOST_SCRIPTS = 200
_CATALOG = """
local names = ...
return function()
  local list, i = names(), 0
  return function()
    i = i + 1
    return list[i]
  end
end
"""


class Scripts:
    """The scripts an instrument holds, by name; the one without a name is the anonymous one.

    Args:
        sandbox: compiles and runs them.
        say: takes what ``list`` prints.
    """

    def __init__(self, sandbox: Sandbox, say: Callable[[list[float | str]], bool]) -> None:
        self._sandbox = sandbox
        self._say = say
        self._scripts: dict[str, Any] = {}
        self._anonymous: Any = None
        self.table = TspTable()
        self.table.attribute("anonymous", lambda: self._anonymous)
        for name in ("new", "newautorun"):
            self.table.function(name, self._new)
        self.table.function("run", self._run_anonymous)
        self.table.function("delete", self._delete)
        self.table.function("restore", lambda name: self._scripts.get(name))
        user = self.table.table("user")
        user.attribute("scripts", lambda: dict(self._scripts))
        factory = sandbox.compile(_CATALOG)
        user.objects["catalog"] = factory(sandbox.to_lua(lambda: list(self._scripts)))

    def load(self, name: str, source: str) -> Any:
        """Compile a script and keep it; its Lua chunk, or None after a syntax error."""
        chunk = self._sandbox.compile(source)
        if chunk is not None:
            self._keep(name, source, chunk)
        return chunk

    def _keep(self, name: str, source: str, chunk: Any) -> TspTable:
        if len(self._scripts) >= _MOST_SCRIPTS or len(source) > _LARGEST_SCRIPT:
            raise TspError(-225)
        script = TspTable("script")
        script.text("name", name)
        script.text("autorun", "no")
        script.attribute("source", lambda: source)
        script.objects["run"] = chunk
        script.call = chunk
        script.function("list", lambda: self._list(name, source))
        script.function("save", lambda *_: None)
        bound = self._sandbox.to_lua(script)
        if name:
            self._scripts[name] = bound
            self._sandbox.globals[name] = bound
        else:
            self._anonymous = bound
        return script

    def _list(self, name: str, source: str) -> None:
        """``list``: the source, as it would be loaded again."""
        head = f"loadscript {name}".rstrip()
        self._say([f"{head}\n{source}\nendscript"])

    def _new(self, source: str, name: str = "") -> TspTable | None:
        chunk = self._sandbox.compile(source)
        return None if chunk is None else self._keep(name, source, chunk)

    def _run_anonymous(self) -> None:
        if self._anonymous is None:
            raise TspError(-286, "TSP Runtime error: there is no anonymous script")
        self._anonymous.run()

    def _delete(self, name: str) -> None:
        self._scripts.pop(name, None)


class Loader:
    """Collects the lines between ``loadscript`` or ``loadandrunscript`` and ``endscript``.

    Args:
        scripts: where finished scripts go.
        sandbox: runs those that are to be run at once.
    """

    def __init__(self, scripts: Scripts, sandbox: Sandbox) -> None:
        self._scripts = scripts
        self._sandbox = sandbox
        self.reset()

    def reset(self) -> None:
        """Forget a script whose end has not come."""
        self.loading = False
        self._lines: list[str] = []
        self._size = 0

    def starts(self, line: str) -> bool:
        """Whether this line begins a script; if so the next ones are its text."""
        word, _, name = line.strip().partition(" ")
        if word not in ("loadscript", "loadandrunscript"):
            return False
        self.reset()
        self.loading = True
        self._name = name.strip()
        self._at_once = word == "loadandrunscript"
        return True

    def take(self, line: str) -> None:
        """The next line; at ``endscript`` the script is compiled, and run if that was asked.

        Raises:
            TspError: the script is too long; it was forgotten.
        """
        if line.strip() != "endscript":
            self._lines.append(line)
            self._size += len(line) + 1
            if self._size > _LARGEST_SCRIPT:
                self.reset()
                raise TspError(-225)
            return
        source = "\n".join(self._lines)
        self.reset()
        chunk = self._scripts.load(self._name, source)
        if chunk is not None and self._at_once:
            self._sandbox.run(chunk)
