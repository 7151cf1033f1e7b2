"""The outbound client against servers that behave, and servers that do not."""

import contextlib
import datetime
import gzip
import http.server
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runs_dashboard.execution import outbound
from runs_dashboard.execution.outbound import Failed, Refused, Stopped, parse_allowed, request

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


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_an_answer_has_status_headers_body_and_address(serve: Callable[..., Server]) -> None:
    server = serve(lambda h: send(h, 201, b"made", X_Number="7"))

    answer = request("put", server.url + "/a%20b?c=d#e", headers={"X-Key": "k"}, body=b"thing", allow=HERE)

    assert (answer.status, answer.body, answer.is_truncated) == (201, b"made", False)
    assert answer.headers["x-number"] == "7"
    assert answer.url.startswith(server.url)
    assert 0 < answer.elapsed < 5
    method, path, headers, body = server.seen[0]
    assert (method, path, body, headers["x-key"]) == ("PUT", "/a%20b?c=d", b"thing", "k")
    assert headers["host"] == f"127.0.0.1:{server.port}"


def test_an_error_status_is_an_answer(serve: Callable[..., Server]) -> None:
    assert request("GET", serve(lambda h: send(h, 503, b"later")).url, allow=HERE).status == 503


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "localhost"])
def test_this_machine_is_refused_however_it_is_written(serve: Callable[..., Server], host: str) -> None:
    server = serve(send)
    with pytest.raises(Refused, match="HTTP_ALLOW"):
        request("GET", f"http://{host}:{server.port}/")
    assert server.seen == []


def test_a_proxy_variable_is_not_used(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert request("GET", serve(send).url, allow=HERE).status == 200


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://[::1]:9/", "http://169.254.169.254/latest", "//10.0.0.1/x"]
)
def test_a_redirect_to_a_private_address_is_refused(serve: Callable[..., Server], target: str) -> None:
    server = serve(lambda h: send(h, 302, Location=target))
    with pytest.raises(Refused, match="may not be reached"):
        request("GET", server.url, allow=HERE)


@pytest.mark.parametrize("target", ["ftp://x/", "file:///etc/passwd", "http://u:p@x/"])
def test_a_redirect_to_what_is_no_web_address_is_refused(serve: Callable[..., Server], target: str) -> None:
    server = serve(lambda h: send(h, 302, Location=target))
    with pytest.raises(Refused):
        request("GET", server.url, allow=HERE)


def test_redirects_without_end_fail(serve: Callable[..., Server]) -> None:
    server = serve(lambda h: send(h, 302, Location="/again"))
    with pytest.raises(Failed, match="more than 5 redirects"):
        request("GET", server.url, allow=HERE)
    assert len(server.seen) == 6


def test_a_key_goes_to_no_other_server(serve: Callable[..., Server]) -> None:
    second = serve(lambda h: send(h, body=b"end"))
    first = serve(lambda h: send(h, 307, Location=second.url + "/other"))
    secret = {"Authorization": "Bearer s", "Cookie": "c=s", "X-Api-Key": "s", "Accept": "text/plain"}

    answer = request("POST", first.url, headers=secret, body=b"b", allow=HERE)

    assert (answer.body, answer.url) == (b"end", second.url + "/other")
    method, _, headers, body = second.seen[0]
    assert (method, body, headers["accept"]) == ("POST", b"b", "text/plain")
    assert not {"authorization", "cookie", "x-api-key"} & set(headers)
    assert first.seen[0][2]["authorization"] == "Bearer s"


def test_a_key_stays_on_its_server(serve: Callable[..., Server]) -> None:
    server = serve(lambda h: send(h, 302, Location="/end") if h.path == "/" else send(h))

    request("GET", server.url + "/", headers={"Authorization": "Bearer s"}, allow=HERE)

    assert [headers["authorization"] for _, _, headers, _ in server.seen] == ["Bearer s", "Bearer s"]


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT")],
)
def test_the_method_after_a_redirect_is_the_standards(
    serve: Callable[..., Server], status: int, method: str, then: str
) -> None:
    server = serve(lambda h: send(h, status, Location="/end") if h.path == "/" else send(h))

    request(method, server.url + "/", body=b"b", headers={"Content-Type": "text/plain"}, allow=HERE)

    got, _, headers, body = server.seen[1]
    assert got == then
    assert body == (b"" if then == "GET" else b"b")
    assert ("content-type" in headers) == (then != "GET")


def test_a_name_that_changes_its_address_is_asked_once(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public at the check, this machine at the connection."""
    server, asked, reached = serve(send), [], []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "203.0.114.9" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            reached.append(address[0])
            raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "socket", Watched)
    with pytest.raises(Failed, match="cannot connect"):
        request("GET", f"http://rebind.example:{server.port}/")

    assert (asked, reached, server.seen) == (["rebind.example"], ["203.0.114.9"], [])


def test_a_name_with_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.168.3.4", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Refused, match=r"intra\.example may not be reached: 192\.168\.3\.4 is a private address"):
        request("GET", "http://intra.example/")


def test_an_allowed_name_may_have_a_private_address(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(send)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    url = f"http://shop.internal:{server.port}/"
    assert request("GET", url, allow=parse_allowed(f"shop.internal:{server.port}")).status == 200
    with pytest.raises(Refused):
        request("GET", url, allow=parse_allowed("shop.internal:1"))


@pytest.mark.parametrize(
    "url",
    ["ftp://x/", "file:///etc/passwd", "gopher://x", "//x/", "x", "", "http://", "http://x/\r\nA: b", "http://x/\0",
     "http://a:b@x/", "http://x:99999/", "http://[::1/", "http://\udc80/", "http://x/\t"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        request("GET", url)


@pytest.mark.parametrize(
    "headers",
    [{"A": "b\r\nC: d"}, {"A": "b\nC"}, {"A\r\nB": "c"}, {"A b": "c"}, {"": "c"}, {"A": "\0"}, {"Host": "x"},
     {"Content-Length": "5"}, {"transfer-encoding": "chunked"}, {"Proxy-Authorization": "x"}],
)  # fmt: skip
def test_a_header_that_would_break_out_is_refused(serve: Callable[..., Server], headers: dict[str, str]) -> None:
    server = serve(send)
    with pytest.raises(Refused):
        request("GET", server.url, headers=headers, allow=HERE)
    assert server.seen == []


@pytest.mark.parametrize("method", ["", "GET /x", "CONNECT", "TRACE", "G\r\nT"])
def test_a_method_that_may_not_be_sent_is_refused(method: str) -> None:
    with pytest.raises(Refused):
        request(method, "http://x.example/")


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


def make_certificate(folder: Path, name: x509.GeneralName) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for the name, signed by itself, and the file of the certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return context, path


def trust(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    context = ssl.create_default_context(cafile=str(path))
    monkeypatch.setattr(outbound, "_trusted", lambda: context)


def test_a_certificate_that_nobody_signed_fails(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(send, make_certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))[0])
    with pytest.raises(Failed, match=r"certificate of 127\.0\.0\.1 is not trusted: self.signed"):
        request("GET", server.url, allow=HERE)
    assert server.seen == []


def test_a_trusted_certificate_works_and_its_name_is_checked(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, path = make_certificate(tmp_path, x509.DNSName("localhost"))
    server = serve(lambda h: send(h, body=b"x" * 500_000), context)
    trust(monkeypatch, path)

    answer = request("GET", f"https://localhost:{server.port}/", allow=parse_allowed("localhost"))
    assert len(answer.body) == 500_000
    with pytest.raises(Failed, match="not trusted"):
        request("GET", server.url, allow=HERE)


def test_a_big_body_is_sent_over_tls(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, path = make_certificate(tmp_path, x509.DNSName("localhost"))
    server = serve(send, context)
    trust(monkeypatch, path)
    body = bytes(range(256)) * 20_000

    request("POST", f"https://localhost:{server.port}/", body=body, allow=parse_allowed("localhost"))

    assert server.seen[0][3] == body


def test_a_server_that_hangs_before_tls_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Failed, match="no complete answer"):
        request("GET", f"https://127.0.0.1:{silent.getsockname()[1]}/", allow=HERE, timeout=0.3)
