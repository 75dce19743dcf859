"""What a single value of `partners.yaml` may be.

Belongs here: checkers, each of which returns the value to keep or raises Unexpected with what was expected. Does not
belong here: keys (partners_file).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from resources.partners.settings import UNPRINTABLE, HeaderFromEnvironment

Checker = Callable[[Any], Any]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,298}[!-~])?")
_HOST_NAME = re.compile(r"(\*\.)?[^\s/:@*?#]+")


class Unexpected(ValueError):
    """What a value should have been."""


def mapping(value: Any) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unexpected(f"a mapping, found {_shown(value)}")
    return value


def true_or_false(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unexpected(f"true or false, found {_shown(value)}")
    return value


def number(least: float, most: float = math.inf, *, above: bool = False, whole: bool = False) -> Checker:
    """A checker for numbers from `least` (or above it) to `most`; YAML's true, .nan and .inf are none."""
    kind = "a whole number" if whole else "a number"
    if above:
        span = f"above {least:g}" if most == math.inf else f"above {least:g} and up to {most:g}"
    else:
        span = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"

    def check(value: Any) -> float:
        numeric = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not numeric or not math.isfinite(value) or not least <= value <= most or (above and value == least):
            raise Unexpected(f"{kind} {span}, found {_shown(value)}")
        return int(value) if whole else float(value)

    return check


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Unexpected(f"text, found {_shown(value)}")
    return value


def names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise Unexpected(f"a list of names, found {_shown(value)}")
    return tuple(dict.fromkeys(value))


def header_text(value: Any) -> str:
    if not isinstance(value, str) or not _HEADER_TEXT.fullmatch(value):
        raise Unexpected(f"one line of plain text, found {_shown(value)}")
    return value


def number_or_null(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(number(0, above=True)(value))
    except Unexpected as expected:
        raise Unexpected(f"null or {expected}") from None


def host_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Unexpected(f"a list of host names, found {_shown(value)}")
    wrong = [_shown(host) for host in value if not isinstance(host, str) or not _HOST_NAME.fullmatch(host)]
    if wrong:
        raise Unexpected(f"host names such as img.example.com or *.example.com, found {', '.join(wrong)}")
    return tuple(value)


def headers(value: Any) -> dict[str, str | HeaderFromEnvironment]:
    """Header values are secrets more often than not, so no message shows one."""
    kept: dict[str, str | HeaderFromEnvironment] = {}
    wrong = []
    for name, given in mapping(value).items():
        variable = given.get("env") if isinstance(given, dict) and len(given) == 1 else None
        if not isinstance(name, str):
            continue
        if not _HEADER_NAME.fullmatch(name):
            wrong.append(f"header names of letters, digits and hyphens, found {name!r}")
        elif name.lower() in {known.lower() for known in kept}:
            wrong.append(f"each header once, whatever its case, found {name!r} again")
        elif isinstance(given, str) and not UNPRINTABLE.search(given):
            kept[name] = given
        elif isinstance(variable, str) and _VARIABLE_NAME.fullmatch(variable):
            kept[name] = HeaderFromEnvironment(variable)
        else:
            wrong.append(f"for header {name!r} one line of text in quotes, or {{env: NAME_OF_A_VARIABLE}}")
    if wrong:
        raise Unexpected("; ".join(wrong))
    return kept


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"
