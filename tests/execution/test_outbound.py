"""What the outbound client asks: addresses, redirects, names, headers."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from runs_dashboard.execution.outbound import Failed, Refused, parse_allowed, request

from .web_servers import HERE, Server, send


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
