"""A way to the database that counts how often the client waits for it, and can be blocked."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Forwards TCP connections from a port of its own.

    Args:
        host: Where to.
        port: Where to.
        on_request: Called with what a client has sent, before it is passed on.

    Attributes:
        round_trips: How often the server has said that it is ready: for this a client waits.
        connections: How many connections the client has opened.
    """

    def __init__(self, host: str, port: int, *, on_request: Callable[[bytes], None] = lambda _: None) -> None:
        self._target = (host, port)
        self._on_request = on_request
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._blocks_after_login = False
        self.port: int = self._listener.getsockname()[1]
        self.round_trips = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections, as an idle timeout or a failover does."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Let nothing through, without a word to either side."""
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    @contextmanager
    def blocked_after_login(self) -> Iterator[None]:
        """Let a login through and nothing more, as a pooler does that has no server to spare."""
        self._blocks_after_login = True
        try:
            yield
        finally:
            self._blocks_after_login = False
            self._flowing.set()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        self._open += [client, server]
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink, source is server), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_server: bool) -> None:
        messages = _Messages()
        with suppress(OSError):
            while content := source.recv(1 << 16):
                ready = messages.count_ready(content) if is_server else 0
                self.round_trips += ready
                if not is_server:
                    self._on_request(content)
                self._flowing.wait()
                if ready and self._blocks_after_login:
                    self._flowing.clear()
                sink.sendall(content)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Messages:
    """What PostgreSQL says: each time a letter, a length that counts itself, content. Nothing is encrypted.

    Source: PostgreSQL manual, "Message Formats".
    """

    def __init__(self) -> None:
        self._held = bytearray()

    def count_ready(self, content: bytes) -> int:
        """Return how many of the messages that end in `content` are ReadyForQuery."""
        self._held += content
        count = 0
        while len(self._held) >= 5 and len(self._held) > (length := int.from_bytes(self._held[1:5], "big")):
            count += self._held[:1] == b"Z"
            del self._held[: 1 + length]
        return count
