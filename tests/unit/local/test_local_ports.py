import socket

from vectorops.local.ports import LOOPBACK, find_free_port, is_port_free


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        assert not is_port_free(other.getsockname()[1])


def test_a_port_taken_on_every_interface_is_not_free() -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:  # noqa: S104
        assert not is_port_free(other.getsockname()[1])


def test_the_preferred_port_is_found_when_it_is_free() -> None:
    port = find_free_port()
    assert find_free_port(port) == port


def test_another_port_is_found_when_the_preferred_one_is_taken() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        found = find_free_port(other.getsockname()[1])
    assert 20_000 <= found < 30_000
