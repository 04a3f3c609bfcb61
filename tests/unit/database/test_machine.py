import pytest

from vectorops.database.machine import acu_machine, instance_machine, this_machine

GIB = 2**30


@pytest.mark.parametrize(
    ("instance_class", "gib", "cpus"),
    [
        ("db.t4g.micro", 1, 2),
        ("db.t3.2xlarge", 32, 8),
        ("db.m6g.medium", 4, 1),
        ("db.m7g.large", 8, 2),
        ("db.r6g.xlarge", 32, 4),
        ("db.r7g.16xlarge", 512, 64),
        ("db.c6gd.4xlarge", 32, 16),
        ("db.x2g.large", 32, 2),
        ("db.r5.2xlarge.tpc2.mem4x", 64, 8),
    ],
)
def test_an_instance_class_tells_memory_and_processors(instance_class: str, gib: int, cpus: int) -> None:
    machine = instance_machine(instance_class)
    assert machine is not None
    assert (machine.memory_bytes, machine.cpus) == (gib * GIB, cpus)
    assert instance_class in machine.source


@pytest.mark.parametrize(
    "name", ["db.serverless", "db.r6g.metal", "db.q9.large", "r6g.large", "db.t4g.huge", ""]
)
def test_a_class_that_tells_nothing_is_not_guessed(name: str) -> None:
    assert instance_machine(name) is None


def test_capacity_units_are_two_gib_each() -> None:
    machine = acu_machine(0.5)
    assert (machine.memory_bytes, machine.cpus, machine.source) == (GIB, None, "0.5 ACU")


def test_this_machine_has_memory_and_processors() -> None:
    assert this_machine().memory_bytes > GIB / 2
    assert this_machine().cpus
