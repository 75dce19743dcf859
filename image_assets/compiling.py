"""Loops that Numba compiles. Importing Numba costs half a second: import this module only where such a loop runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A decorator: the function as machine code that runs without the GIL, compiled when it is first called.

    The code is cached beside the function's file, or in the user's cache folder when that is not writable.
    """
    machine_code: Any = njit(nogil=True)(function)
    with suppress(RuntimeError):  # no folder to cache in: a read-only installation without a home
        machine_code._cache = _Cache(function)  # type: ignore[no-untyped-call]  # as cache=True, with another cache
    loop: Callable[Parameters, Result] = machine_code
    return loop


class _Cache(FunctionCache):
    """Forgets a loop's code when the sources of any loop that it calls have changed too.

    Numba's own cache looks at the file of the outermost loop only.
    """

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        key = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        return (*key, _digest_of_sources(self._py_func))


def _digest_of_sources(function: FunctionType) -> str:
    """Of the files of a loop and of all loops that it calls, and of the numbers that these have from elsewhere."""
    files: set[str] = set()
    numbers: set[str] = set()
    for loop in _with_called(function, set()):
        files.add(loop.__code__.co_filename)
        values = ((name, loop.__globals__.get(name)) for name in loop.__code__.co_names)
        numbers.update(
            f"{name}={value!r}" for name, value in values if isinstance(value, int | float | tuple | np.generic)
        )
    sources = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in sorted(files)]
    return hashlib.sha256("\n".join([*sources, *sorted(numbers)]).encode()).hexdigest()


def _with_called(function: FunctionType, seen: set[FunctionType]) -> Iterator[FunctionType]:
    if function in seen:
        return
    seen.add(function)
    yield function
    for name in function.__code__.co_names:
        called = function.__globals__.get(name)
        if isinstance(called, Dispatcher):
            yield from _with_called(called.py_func, seen)
