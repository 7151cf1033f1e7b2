"""Servers of one answer for the tests of the outbound client."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable
from typing import Any

from runs_dashboard.execution.outbound import parse_allowed

HERE = parse_allowed("127.0.0.1")
Handler = http.server.BaseHTTPRequestHandler


class Server:
    """A server of one answer; `seen` are the requests it got: method, path, headers, body."""

    def __init__(self, answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Answering(Handler):
            protocol_version = "HTTP/1.1"

            def answer_one(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.seen.append((self.command, self.path, headers, body))
                self.close_connection = True
                with contextlib.suppress(ConnectionError):  # the client may have had enough
                    answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        for method in ("GET", "POST", "PUT", "HEAD"):
            setattr(Answering, f"do_{method}", Answering.answer_one)

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Say nothing: clients that break off are the test."""

        self.server = Quiet(("127.0.0.1", 0), Answering)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self.server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def send(handler: Handler, status: int = 200, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
