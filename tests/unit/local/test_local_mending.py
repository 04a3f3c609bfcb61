from types import ModuleType

import pytest

from vectorops.errors import LocalTargetError
from vectorops.local.emulator.mending import Function, replace


@pytest.fixture
def library() -> ModuleType:
    module = ModuleType("library")
    exec(  # noqa: S102
        "def double(n): return 2 * n\n"
        "def call(n): return double(n)\n"
        "ACTIONS = {'Double': double, 'Other': len}",
        vars(module),
    )
    return module


def plus_one(original: Function) -> Function:
    return lambda n: original(n) + 1


def test_a_replaced_function_is_called_everywhere(library: ModuleType) -> None:
    replace(library, "double", plus_one)
    assert library.call(5) == 11
    assert library.ACTIONS["Double"](5) == 11
    assert library.ACTIONS["Other"] is len


def test_a_function_that_is_gone_stops_the_start_and_names_the_version(library: ModuleType) -> None:
    with pytest.raises(LocalTargetError, match=r"has no library\.triple: .* written for ministack 1\.5\.33"):
        replace(library, "triple", plus_one)
