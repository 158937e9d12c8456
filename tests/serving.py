"""HTTP servers on this machine that send the replies of a test."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# An endless reply ends after this many pieces, so that its test ends.
ENDLESS = 10_000


@dataclass(frozen=True)
class Request:
    """A request that a server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """A server's reply: a body of bytes is sent as it is, any other as JSON.

    The server may also misbehave. If the reply `breaks_off`, it sends half of the body. If the reply `ends_at_once`,
    it closes the connection without a reply. A silent reply keeps the connection open and sends nothing. An endless
    reply repeats the body again and again; `before` is repeated in the same way, in place of the status line. A reply
    that `closes` closes the connection after its body.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False
    ends_at_once: bool = False
    is_silent: bool = False
    is_endless: bool = False
    closes: bool = False
    before: bytes = b""


@dataclass
class Served:
    """A running server and its requests. The first request sets `requested`; the end of the server sets `over`."""

    url: str
    requests: list[Request] = field(default_factory=list)
    requested: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    # The addresses of the clients, one per connection.
    callers: set[tuple[str, int]] = field(default_factory=set)

    @property
    def posts(self) -> list[Request]:
        """The POST requests. The client asks for the models' names with GET."""
        return [request for request in self.requests if request.method == "POST"]


@contextlib.contextmanager
def serving(*replies: Reply | Callable[[Request], Reply], context: Any = None) -> Iterator[Served]:
    """Run a server that sends these replies in turn, and then repeats the last one."""
    remaining, lock = list(replies), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Header and body are two writes; with Nagle's algorithm the second would wait for the ACK of the first.
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(
                self.command,
                self.path,
                {name.title(): value for name, value in self.headers.items()},
                json.loads(body) if body else None,
            )
            with lock:
                served.requests.append(request)
                served.callers.add(self.client_address)
                reply = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            served.requested.set()
            self.send(reply if isinstance(reply, Reply) else reply(request))

        def send(self, reply: Reply) -> None:
            if reply.is_silent:
                served.over.wait(60)
            if reply.before:
                self.repeat(reply.before)
            if reply.is_silent or reply.ends_at_once or reply.before:
                self.close_connection = True
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in ({} if reply.is_endless else {"Content-Length": str(len(data))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(data[: len(data) // 2] if reply.breaks_off else data)
                if reply.is_endless:
                    self.repeat(data)
            self.close_connection |= reply.breaks_off or reply.is_endless or reply.closes

        def repeat(self, data: bytes) -> None:
            with contextlib.suppress(OSError):
                for _ in range(ENDLESS):
                    if served.over.wait(0.001):
                        break
                    self.wfile.write(data)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        served = Served(f"{scheme}://127.0.0.1:{server.server_address[1]}/v1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.over.set()
            server.shutdown()
            thread.join()
