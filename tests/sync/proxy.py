"""A TCP proxy on loopback that cuts connections after some bytes, holds them up, and is away for a while."""

import contextlib
import socket
import threading
from dataclasses import dataclass
from types import TracebackType

from tests.sync.servers import free_port

__all__ = ["Proxy"]

PIECE_SIZE = 1 << 16


class Proxy:
    """A context manager; forwards to a port on loopback.

    Attributes:
        port: to connect to instead.
        cut_after: bytes from the client, or to it, after which a connection is reset; None for never.
        cuts: how many connections are still to be cut.
        leave_after: bytes to clients, all together, after which it goes away; None for never.
        holding: keep what comes, and answer nothing.
        sent: bytes from clients so far.
        received: bytes to clients so far.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.cut_after: int | None = None
        self.cuts = 0
        self.leave_after: int | None = None
        self.holding = threading.Event()
        self.sent = 0
        self.received = 0
        self._target = port
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Condition()
        self._leaving = False
        self._ended = threading.Event()

    def __enter__(self) -> "Proxy":
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.go_away()

    def listen(self) -> None:
        """Take connections, again once it has gone away as a whole."""
        with self._lock:
            self._lock.wait_for(lambda: not self._leaving, 60)
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def go_away(self) -> None:
        """Refuse connections, and reset those that are open."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            connections = list(self._open)
        for one in connections:
            self._reset(one)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            connection = Connection((client, server))
            for source, target, towards in ((client, server, "sent"), (server, client, "received")):
                arguments = (source, target, towards, connection)
                threading.Thread(target=self._forward, args=arguments, daemon=True).start()

    def _forward(
        self, source: socket.socket, target: socket.socket, towards: str, connection: "Connection"
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_SIZE):
                while self.holding.is_set() and not self._ended.wait(0.05):
                    pass
                with self._lock:
                    setattr(self, towards, getattr(self, towards) + len(piece))
                    connection.bytes += len(piece)
                    cut = self.cuts > 0 and self.cut_after is not None and connection.bytes > self.cut_after
                    self.cuts -= cut
                    leaves = self.leave_after is not None and self.received > self.leave_after
                    if leaves:
                        # Once: another thread may be as far.
                        self.leave_after, self._leaving = None, True
                if leaves:
                    try:
                        self.go_away()
                    finally:
                        with self._lock:
                            self._leaving = False
                            self._lock.notify_all()
                if cut or leaves:
                    break
                target.sendall(piece)
            else:
                # What was forwarded may not be read yet, and a reset would take it away.
                target.shutdown(socket.SHUT_WR)
                with self._lock:
                    connection.ended += 1
                    if connection.ended == 1:
                        return
        for one in connection.ends:
            self._reset(one)

    def _reset(self, one: socket.socket) -> None:
        with self._lock:
            self._open.discard(one)
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@dataclass
class Connection:
    """A connection that is forwarded.

    Attributes:
        ends: to the client and to the server.
        bytes: forwarded so far, both ways.
        ended: how many of its two ways are at their end.
    """

    ends: tuple[socket.socket, socket.socket]
    bytes: int = 0
    ended: int = 0
