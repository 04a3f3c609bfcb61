"""Free TCP ports on the loopback address."""

import random
import socket

from vectorops.errors import LocalTargetError

LOOPBACK = "127.0.0.1"
# Below the range from which Linux (32768) and macOS (49152) take ports of outgoing connections, so
# that a remembered port is still free after a restart.
_RANGE = range(20_000, 30_000)
_ATTEMPTS = 200


def is_port_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection in TIME_WAIT does not keep the port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def find_free_port(preferred: int | None = None) -> int:
    """Return `preferred` if it is free, else a free port between 20000 and 29999.

    Raises:
        LocalTargetError: None was found.
    """
    if preferred and is_port_free(preferred):
        return preferred
    for port in random.sample(_RANGE, _ATTEMPTS):
        if is_port_free(port):
            return port
    raise LocalTargetError(f"no free port on {LOOPBACK} between {_RANGE.start} and {_RANGE.stop - 1}")
