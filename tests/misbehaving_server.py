"""A FHIR server that misbehaves in every way we could think of: plain sockets, one thread for each connection."""

import gzip
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
FHIR = "application/fhir+json"


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]


@dataclass
class Misbehaving:
    """A listening server; `behave` answers each request, `asked` has all requests, `connections` counts those accepted."""

    behave: Callable[["Misbehaving", socket.socket, Asked], None]
    listener: socket.socket
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as lines:
            connection.settimeout(10)
            while (first := lines.readline()).strip():
                headers = {}
                while (line := lines.readline()).strip():
                    name, _, value = line.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                request = Asked(first.split()[1].decode("ascii"), headers)
                self.asked.append(request)
                self.behave(self, connection, request)


@contextmanager
def misbehaving(behave: Callable[[Misbehaving, socket.socket, Asked], None]) -> Iterator[Misbehaving]:
    """Run a server on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        server = Misbehaving(behave, listener)
        thread = threading.Thread(target=server.accept, daemon=True)
        thread.start()
        yield server
        server.stopping.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def send(connection: socket.socket, body: bytes | str | Json, status: str = "200 OK", **headers: str) -> None:
    """Send one whole answer."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    given = {"Content-Type": FHIR, "Content-Length": str(len(raw))} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + raw)


def empty_bundle(**more: Any) -> Json:  # noqa: ANN401
    return {"resourceType": "Bundle", "type": "searchset", "total": 0, **more}


def status(line: str, **headers: str) -> Callable[..., None]:
    """Always answer with this status and an OperationOutcome."""

    def behave(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
        send(connection, {"resourceType": "OperationOutcome"}, line, **headers)

    return behave


def body(raw: bytes | str | Json, **headers: str) -> Callable[..., None]:
    """Always answer 200 with this body."""

    def behave(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
        send(connection, raw, **headers)

    return behave


def silence(server: Misbehaving, _: socket.socket, __: Asked) -> None:
    server.stopping.wait(10)


def dripped_body(server: Misbehaving, connection: socket.socket, _: Asked) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {FHIR}\r\nContent-Length: 100000\r\n\r\n".encode())
    _drip(server, connection, b" ")


def dripped_head(server: Misbehaving, connection: socket.socket, _: Asked) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(server, connection, b"x")


def dripped_chunks(server: Misbehaving, connection: socket.socket, _: Asked) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {FHIR}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    _drip(server, connection, b"1\r\n \r\n")


def endless_continue(server: Misbehaving, connection: socket.socket, _: Asked) -> None:
    _drip(server, connection, b"HTTP/1.1 100 Continue\r\n\r\n")


def _drip(server: Misbehaving, connection: socket.socket, piece: bytes) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and not server.stopping.wait(0.05):
        connection.sendall(piece)


def cut_short(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    connection.sendall(f'HTTP/1.1 200 OK\r\nContent-Type: {FHIR}\r\nContent-Length: 5000\r\n\r\n{{"resourceType": "Bun'.encode())
    connection.shutdown(socket.SHUT_RDWR)


def reset_in_body(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    connection.sendall(f'HTTP/1.1 200 OK\r\nContent-Type: {FHIR}\r\nContent-Length: 5000\r\n\r\n{{"resourceType": "Bun'.encode())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())  # at once, although the reader of the requests still holds it


def hang_up(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def nonsense(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    connection.sendall(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


def endless_pages(_: Misbehaving, connection: socket.socket, request: Asked) -> None:
    number = int(request.path.rpartition("page=")[2]) if "page=" in request.path else 0
    send(connection, empty_bundle(link=[{"relation": "next", "url": f"{request.path.partition('?')[0]}?page={number + 1}"}]))


def same_page(_: Misbehaving, connection: socket.socket, request: Asked) -> None:
    send(connection, empty_bundle(link=[{"relation": "next", "url": f"{request.path.partition('?')[0]}?again"}]))


def huge(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {FHIR}\r\nContent-Length: 2000000000\r\n\r\n".encode())
    for _number in range(2000):
        connection.sendall(b" " * 1_000_000)


def gzip_bomb(_: Misbehaving, connection: socket.socket, __: Asked) -> None:
    send(connection, BOMB, Content_Encoding="gzip")


BOMB = gzip.compress(b"[" + b" " * 200_000_000, 1)
