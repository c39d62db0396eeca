"""An HTTP load generator: N kept-alive connections, one request in flight on each, raw sockets."""

import json
import selectors
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Measure:
    """What came back within the window."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Return requests per second, latency quantiles in milliseconds, and how often each status came."""
        ordered = sorted(self.latencies)
        return {
            "per_second": len(ordered) / self.seconds,
            "p50_ms": quantile(ordered, 0.50) * 1000,
            "p99_ms": quantile(ordered, 0.99) * 1000,
            "requests": len(ordered),
            "statuses": dict(self.statuses),
        }


def quantile(ordered: list[float], share: float) -> float:
    """Return the value below which ``share`` of the sorted values lie (0 for none)."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def http_request(method: str, path: str, key: str, body: bytes) -> bytes:
    """Return a whole request; with GET the body is the query."""
    if method == "GET":
        path, body = f"{path}?{body.decode()}" if body else path, b""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One kept-alive connection with at most one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what is there; return the status once a whole response has come."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("The server closed a connection in the middle of the measurement.")
        self.buffer += chunk
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return None
        self.buffer = body[length:]
        return int(head[9:12])


def drive(port: int, connections: int, seconds: float, requests: list[bytes]) -> Measure:
    """Keep ``connections`` requests in flight for ``seconds``, going through ``requests`` at most once."""
    waiting, measure, selector = deque(requests), Measure(), selectors.DefaultSelector()
    start = time.perf_counter()
    flying = min(connections, len(requests))
    for _ in range(flying):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(waiting.popleft())
    while flying:
        for key, _ in selector.select(timeout=10) or _late(flying):
            status = key.data.receive()
            if status is None:
                continue
            now = time.perf_counter()
            measure.statuses[status] += 1
            measure.latencies.append(now - key.data.sent_at)
            if waiting and now - start < seconds:
                key.data.send(waiting.popleft())
            else:
                flying -= 1
    measure.seconds = time.perf_counter() - start
    return measure


def _late(flying: int) -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError(f"{flying} requests had no answer for ten seconds.")


if __name__ == "__main__":
    order = json.loads(sys.stdin.read())
    bodies = Path(order["bodies"]).read_bytes().split(b"\n")
    made = [http_request(order["method"], order["path"], order["key"], body) for body in bodies if body]
    print(json.dumps(drive(order["port"], order["connections"], order["seconds"], made).summary()))
