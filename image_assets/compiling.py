"""Loops that Numba compiles. Importing Numba costs half a second: import this module only where such a loop runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code that runs without the GIL, compiled when it is first called.

    The code is cached beside the function's file, or in the user's cache folder when that is not writable.
    """
    machine_code: Callable[..., Any]
    try:
        machine_code = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to cache in: a read-only installation without a home
        machine_code = njit(nogil=True)(function)
    return machine_code
