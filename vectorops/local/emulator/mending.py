"""Replacing private functions of the emulator library, which may be gone in its next version."""

import functools
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any

from vectorops.errors import LocalTargetError

WRITTEN_FOR = "1.5.33"

Function = Callable[..., Any]


def need(module: ModuleType, *names: str) -> None:
    """Check that names we use of a library module are there.

    Raises:
        LocalTargetError: One is missing.
    """
    for name in names:
        if not hasattr(module, name):
            raise LocalTargetError(
                f"ministack {version('ministack')} has no {module.__name__}.{name}",
                why=f"the local target was written for ministack {WRITTEN_FOR}",
                hint="run 'make setup', which installs that version",
            )


def replace(module: ModuleType, name: str, make: Callable[[Function], Function]) -> None:
    """Put `make(original)` in the place of a library function, in the module's dispatch tables too.

    Raises:
        LocalTargetError: The module has no such function.
    """
    need(module, name)
    original = getattr(module, name)
    replacement = functools.wraps(original)(make(original))
    setattr(module, name, replacement)
    for table in [value for value in vars(module).values() if isinstance(value, dict)]:
        for key, value in table.items():
            if value is original:
                table[key] = replacement
