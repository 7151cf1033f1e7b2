"""What the outbound client takes in: bodies, packed ones, and servers that do not behave."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from runs_dashboard.execution.outbound import Failed, Stopped, request

from .web_servers import HERE, Handler, Server, send


def test_a_body_without_end_is_cut_at_the_cap(serve: Callable[..., Server]) -> None:
    def pour(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(5 * 10**9))
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    answer = request("GET", serve(pour).url, allow=HERE)

    assert (len(answer.body), answer.is_truncated) == (1_000_000, True)
    assert answer.elapsed < 5


@pytest.mark.parametrize(("size", "is_truncated"), [(999, False), (1000, False), (1001, True)])
def test_a_body_of_exactly_the_cap_is_whole(serve: Callable[..., Server], size: int, is_truncated: bool) -> None:
    answer = request("GET", serve(lambda h: send(h, body=b"x" * size)).url, allow=HERE, max_bytes=1000)

    assert (len(answer.body), answer.is_truncated) == (min(size, 1000), is_truncated)


def deflate_bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", deflate_bare),
     ("gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]) + b"\0\0")],
)  # fmt: skip
def test_a_compressed_body_is_read(serve: Callable[..., Server], encoding: str, pack: Callable[[bytes], bytes]) -> None:
    server = serve(lambda h: send(h, body=pack(b"hello " * 5000), Content_Encoding=encoding))

    assert request("GET", server.url, allow=HERE).body == b"hello " * 5000


def test_a_bomb_is_not_unpacked(serve: Callable[..., Server]) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(300)) + packer.flush()

    answer = request("GET", serve(lambda h: send(h, body=bomb, Content_Encoding="gzip")).url, allow=HERE)

    assert (answer.body, answer.is_truncated) == (bytes(1_000_000), True)


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (b"not packed", "gzip", "broken"),
        (gzip.compress(b"x" * 999)[:-9], "gzip", "too early"),
        (b"x", "br", "encoding"),
    ],
)
def test_a_body_that_cannot_be_unpacked_fails(
    serve: Callable[..., Server], body: bytes, encoding: str, words: str
) -> None:
    with pytest.raises(Failed, match=words):
        request("GET", serve(lambda h: send(h, body=body, Content_Encoding=encoding)).url, allow=HERE)


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def drip_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nA: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def hang(handler: Handler) -> None:
    handler.connection.settimeout(20)
    handler.rfile.read(1)  # until the client goes


@pytest.mark.parametrize("answer", [drip, drip_headers, hang])
def test_the_deadline_holds_whatever_the_server_does(
    serve: Callable[..., Server], answer: Callable[[Handler], None]
) -> None:
    begun = time.monotonic()
    with pytest.raises(Failed, match=r"no complete answer within 0\.4 s"):
        request("GET", serve(answer).url, allow=HERE, timeout=0.4)
    assert 0.4 <= time.monotonic() - begun < 1.5


@pytest.mark.parametrize("answer", [drip, drip_headers, hang])
def test_a_stop_interrupts_at_once(serve: Callable[..., Server], answer: Callable[[Handler], None]) -> None:
    server, stop = serve(answer), threading.Event()
    timer = threading.Timer(0.3, stop.set)
    begun = time.monotonic()
    timer.start()
    with pytest.raises(Stopped):
        request("GET", server.url, allow=HERE, should_stop=stop.is_set)
    timer.join()
    assert 0.3 <= time.monotonic() - begun < 0.9


def test_a_stop_interrupts_a_name_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    release, begun = threading.Event(), time.monotonic()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        release.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Stopped):
        request("GET", "http://slow.example/", should_stop=lambda: time.monotonic() - begun > 0.2)
    release.set()
    assert time.monotonic() - begun < 1.0


def test_what_should_stop_raises_is_raised(serve: Callable[..., Server]) -> None:
    def lose() -> bool:
        raise LookupError("the lease is lost")

    with pytest.raises(LookupError):
        request("GET", serve(hang).url, allow=HERE, should_stop=lose)


def break_off(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda h: h.wfile.write(b"SSH-2.0-x\r\n\r\n"), "does not keep to HTTP"),
        (lambda h: None, "does not keep to HTTP"),
        (break_off, "does not keep to HTTP"),
        (lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300_000), "does not keep to HTTP|broke"),
    ],
)
def test_a_server_that_speaks_no_http_fails(
    serve: Callable[..., Server], answer: Callable[[Handler], None], words: str
) -> None:
    with pytest.raises(Failed, match=words):
        request("GET", serve(answer).url, allow=HERE)


def test_a_closed_port_fails_in_plain_words() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Failed, match="Connection refused"):
            request("GET", f"http://127.0.0.1:{port}/", allow=HERE)


def test_a_name_that_does_not_exist_fails_in_plain_words() -> None:
    with pytest.raises(Failed, match=r"nothing\.invalid cannot be resolved"):
        request("GET", "http://nothing.invalid/")
