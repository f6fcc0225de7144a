"""A Lua state that a client's scripts cannot leave and cannot hang."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable
from drivers.emulated.tsp.prelude import PRELUDE
from hil.errors import ConfigurationError

__all__ = ["Sandbox"]

_INSTRUCTIONS = 20_000_000  # a script's allowance, some tenths of a second
_CALL_COST = 100  # what a call into the instrument takes of it
_MEMORY_BYTES = 64 * 2**20
_LONGEST_LIST = 1_000_000


class Sandbox:
    """One Lua 5.1 state without access to files, processes, modules or Python.

    Scripts see the instrument's tables and Lua's own libraries less what reaches outside. A
    script that runs too long ends in a runtime error, whatever it catches.

    Args:
        report: takes errors of the instrument and of the scripts.
        emit: takes what ``print`` was given, numbers and everything else as text, and says
            whether there was room for it.

    Raises:
        ConfigurationError: the Lua engine (package ``lupa``) is not installed.
    """

    def __init__(
        self, report: Callable[[TspError], None], emit: Callable[[list[float | str]], bool]
    ) -> None:
        lua51 = _engine()
        self._lua = lua51.LuaRuntime(
            encoding="latin-1",
            source_encoding="latin-1",
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            max_memory=_MEMORY_BYTES,
            attribute_filter=_deny,
        )
        self._lua_error = lua51.LuaError
        self._lua_type: Callable[[Any], str | None] = lua51.lua_type
        self._report = report
        self._handles: weakref.WeakValueDictionary[int, TspTable] = weakref.WeakValueDictionary()
        self._bound: dict[int, Any] = {}
        self._tools = self._lua.compile(PRELUDE)(
            lambda *values: emit(list(values)), _INSTRUCTIONS, _CALL_COST
        )
        self.globals = self._lua.globals()

    def compile(self, source: str) -> Any:
        """A chunk to run, or None after a syntax error was reported (-285)."""
        try:
            chunk, message = self._tools.compile(source)
        except self._lua_error:
            self._report(TspError(-225))
            return None
        if chunk is None:
            self._report(TspError(-285, f"TSP Syntax error at {_placed(message)}"))
        return chunk

    def run(self, chunk: Any) -> bool:
        """Run a chunk; False after a runtime error was reported (-286)."""
        try:
            message = self._tools.run(chunk)
        except self._lua_error:  # no memory even to say so
            self._report(TspError(-225))
            return False
        if message is None:
            return True
        if "not enough memory" in message:
            self._report(TspError(-225))
        else:
            self._report(TspError(-286, f"TSP Runtime error at {_placed(message)}"))
        return False

    def define(self, name: str, value: Any) -> None:
        """A global that stays: a table of the instrument, a function, a constant."""
        self.globals[name] = self.to_lua(value, keep=True)

    def to_lua(self, value: Any, keep: bool = False) -> Any:
        """What Lua gets for a Python value.

        Args:
            value: a number, string, boolean, None, list, table of the instrument or function.
            keep: a table is to be the same Lua table every time.
        """
        if isinstance(value, TspTable):
            return self._bind(value, keep)
        if isinstance(value, dict):
            return self._lua.table_from({k: self.to_lua(v, keep) for k, v in value.items()})
        if isinstance(value, list):
            return self._lua.table_from([self.to_lua(item, keep) for item in value])
        if isinstance(value, tuple):
            return tuple(self.to_lua(item, keep) for item in value)
        if self._lua_type(value) is None and callable(value):
            return self._tools.wrap(self._guarded(value))
        return value

    def from_lua(self, value: Any) -> Any:
        """The table of the instrument behind a Lua table, or its items as a list."""
        if self._lua_type(value) != "table":
            return value
        handle = self._tools.handle(value)
        if handle is not None and handle in self._handles:
            return self._handles[handle]
        length = self._tools.length(value)
        if length > _LONGEST_LIST:
            raise TspError(-223)
        return [self.from_lua(value[i]) for i in range(1, length + 1)]

    def _bind(self, table: TspTable, keep: bool) -> Any:
        handle = id(table)
        if handle in self._bound:
            return self._bound[handle]
        objects = {
            name: value if self._lua_type(value) else self.to_lua(value, keep)
            for name, value in table.objects.items()
        }
        bound = self._tools.make(
            self._guarded(partial(_get, table)),
            self._guarded(partial(_set, table)),
            partial(_refusal, table),
            self._lua.table_from(list(table.getters)),
            self._lua.table_from(list(table.setters)),
            self._lua.table_from(objects),
            table.luatype,
            handle,
            None if table.item is None else self._guarded(table.item),
            None if table.put_item is None else self._guarded(table.put_item),
            table.call,
        )
        self._handles[handle] = table
        if keep:
            self._bound[handle] = bound
        return bound

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function Lua may call: errors go to the queue and nil comes back."""

        def call(*values: Any) -> Any:
            try:
                return self.to_lua(function(*map(self.from_lua, values)))
            except TspError as error:
                self._report(error)
            except Exception as error:  # a Python exception in a script's hands would be a way out
                self._report(_wrong_call(function, len(values), error))
            return None

        return call


def _get(table: TspTable, name: str) -> Any:
    return table.getters[name]()


def _set(table: TspTable, name: str, value: Any = None) -> None:
    table.setters[name](value)


def _refusal(table: TspTable, name: Any) -> str:
    """Why an attribute cannot be written."""
    known = name in table.getters or name in table.objects
    return f"attempt to write {'read-only' if known else 'unknown'} attribute `{name}'"


def _wrong_call(function: Callable[..., Any], n_values: int, error: Exception) -> TspError:
    """What to say of a call that Python refused: most likely a wrong number of arguments."""
    if isinstance(error, TypeError):
        parameters = signature(function).parameters.values()
        needed = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in parameters)
        if n_values < needed:
            return TspError(-109)
        if n_values > len(parameters):
            return TspError(-108)
        return TspError(-104)
    if isinstance(error, ValueError | ArithmeticError):
        return TspError(-224)
    return TspError(-286, f"TSP Runtime error: {error}".replace("\n", " ").replace("\t", " "))


def _deny(_: Any, name: Any, __: bool) -> Any:
    raise AttributeError(name)


def _placed(message: str) -> str:
    """``TSP:3: text`` as the instrument words it: ``line 3: text``."""
    mark, _, rest = message.partition(":")
    number, _, text = rest.partition(":")
    if mark == "TSP" and number.isdigit():
        return f"line {number}: {text.strip()}".replace("\n", " ").replace("\t", " ")
    return f"line 1: {message}".replace("\n", " ").replace("\t", " ")


def _engine() -> Any:
    """The module ``lupa.lua51``, imported only when a TSP instrument is made."""
    try:
        return importlib.import_module("lupa.lua51")
    except ImportError as error:
        raise ConfigurationError(
            "emulating a TSP instrument needs the Lua engine, which is not installed here: "
            "pip install 'lupa>=2.1'",
            package="lupa",
        ) from error
