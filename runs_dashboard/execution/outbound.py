"""The one outbound HTTP client: whatever is sent to an address that somebody else chose goes through `request`.

The address of every hop is checked where the connection is made (`connection`), nothing is taken from the proxy
variables, and every resource has a number: time, body, inflated body, redirects.
"""

import functools
import re
import ssl
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import certifi
import httpcore
import httpx

from .addresses import NOTHING, Allowed, parse_allowed
from .connection import CheckingBackend, Failed, Refused, Stopped, Watch

__all__ = ["Allowed", "Answer", "Failed", "Refused", "Stopped", "parse_allowed", "request"]

MAX_BYTES = 1_000_000
MAX_REDIRECTS = 5

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
}
# A foreign server gets these headers only: any other may carry a key.
_HARMLESS = {"accept", "accept-encoding", "accept-language", "content-type", "user-agent"}
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the last server said. `body` is decoded (gzip, deflate); `elapsed` in seconds, over all hops."""

    status: int
    headers: dict[str, str]  # names in lower case, repeated ones joined by ", "
    body: bytes
    is_truncated: bool
    url: str  # after redirects
    elapsed: float


def request(
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 30.0,
    max_bytes: int = MAX_BYTES,
    allow: Allowed = NOTHING,
    should_stop: Callable[[], bool] = lambda: False,
    may_redirect: bool = True,
    may_be_plain: bool = True,
) -> Answer:
    """Send one request, follow up to five redirects, and read the body up to `max_bytes` (decoded).

    `timeout` is for everything together, in seconds. `should_stop` is asked at least every 0.1 s; what it raises
    is raised. Without `may_redirect` a redirect is an answer like any other; without `may_be_plain` http, where
    everybody on the way reads along, goes only to what `allow` names.
    Raises Refused, Failed, Stopped.
    """
    watch = Watch(timeout, should_stop)
    sent = _build(method, url, headers or {}, body)
    backend = CheckingBackend(allow, watch)
    with httpcore.ConnectionPool(ssl_context=_trusted(), network_backend=backend, retries=0) as pool:
        for _ in range(MAX_REDIRECTS + 1):
            backend.is_named_only = sent.url.scheme == "http" and not may_be_plain
            with _Translated(), _send(pool, sent) as response:
                following = _follow(sent, response) if may_redirect else None
                if following is None:
                    content, is_truncated = _read_body(response, max_bytes)
                    return Answer(
                        response.status,
                        _read_headers(response),
                        content,
                        is_truncated,
                        str(sent.url),
                        watch.elapsed(),
                    )
            sent = following
    raise Failed(f"more than {MAX_REDIRECTS} redirects; the last one leads to {sent.url}")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: httpx.URL
    headers: dict[str, str]
    body: bytes | None


def _build(method: str, url: str, headers: dict[str, str], body: bytes | None) -> _Request:
    if not _TOKEN.fullmatch(method) or method.upper() in {"CONNECT", "TRACE"}:
        raise Refused(f"{method!r} is not a method that may be sent")
    clean = {}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise Refused(f"{name!r} is not a header name")
        if _CONTROL.search(value):
            raise Refused(f"the header {name} holds a line break or another control character")
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise Refused(f"the header {name} is set by the client itself")
        clean[name.lower()] = value.strip()
    return _Request(method.upper(), _read_url(url), clean, body)


def _read_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    if _CONTROL.search(text) or "\t" in text:
        raise Refused("the address holds a line break or another control character")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Refused(f"the address cannot be read: {error}") from error
    if url.scheme not in ("http", "https"):
        raise Refused(f"the address begins with {url.scheme or 'nothing'}:, only http and https can be asked")
    if not url.host:
        raise Refused("the address names no host")
    if url.port is not None and not 0 < url.port < 65536:
        raise Refused(f"the address names the port {url.port}, which cannot be")
    if url.userinfo:
        raise Refused("the address holds a name or password; they belong into an Authorization header")
    return url


def _send(pool: httpcore.ConnectionPool, sent: _Request) -> Any:
    headers = {
        "host": sent.url.netloc.decode("ascii"),
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "user-agent": "runs-dashboard",
        **sent.headers,
    }
    if sent.body is not None or sent.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = str(len(sent.body or b""))
    target = httpcore.URL(
        scheme=sent.url.raw_scheme, host=sent.url.raw_host, port=sent.url.port, target=sent.url.raw_path
    )
    encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    return pool.stream(sent.method, target, headers=encoded, content=sent.body or b"")


def _follow(sent: _Request, response: httpcore.Response) -> _Request | None:
    """The request that a redirect asks for (RFC 9110, 15.4); None when the answer is no redirect."""
    location = _read_headers(response).get("location")
    if response.status not in _REDIRECTS or location is None:
        return None
    url = _read_url(location, sent.url)
    method, body, headers = sent.method, sent.body, dict(sent.headers)
    if (response.status == 303 and method != "HEAD") or (response.status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if not name.startswith("content-")}
    if _origin(url) != _origin(sent.url):
        headers = {name: value for name, value in headers.items() if name in _HARMLESS}
    return _Request(method, url, headers, body)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _read_headers(response: httpcore.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _read_body(response: httpcore.Response, max_bytes: int) -> tuple[bytes, bool]:
    encoding = _read_headers(response).get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise Failed(f"the server answers in the encoding {encoding[:50]!r}, which was not asked for")
    body = bytearray()
    pieces = response.iter_stream() if encoding in ("identity", "") else _inflate(response, max_bytes)
    for piece in pieces:
        body += piece
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), True
    return bytes(body), False


def _inflate(response: httpcore.Response, max_bytes: int) -> Iterator[bytes]:
    """The decoded body in pieces of at most `max_bytes` + 1, however much a small piece of it unfolds to."""
    decoder = None
    try:
        for data in response.iter_stream():
            while data:
                if decoder is not None and decoder.eof and data[0] != 0x1F:
                    return  # padding after the end
                if decoder is None or decoder.eof:
                    # gzip, zlib, or bare deflate, which some servers send by that name (RFC 9110, 8.4.1.2)
                    decoder = zlib.decompressobj(47 if data[0] in (0x1F, 0x78) else -15)
                piece = decoder.decompress(data, max_bytes + 1)
                if piece:
                    yield piece
                data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    except zlib.error as error:
        raise Failed(f"the compressed body is broken: {error}") from error
    if decoder is not None and not decoder.eof:
        raise Failed("the compressed body ends too early")


class _Translated:
    """A context in which the errors of the HTTP library become ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, httpcore.LocalProtocolError):
            raise Refused(f"this cannot be sent by HTTP: {error}") from error
        if isinstance(error, httpcore.RemoteProtocolError):
            raise Failed(f"the server does not keep to HTTP: {error}") from error
        if isinstance(error, (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError)):
            raise Failed(f"the connection broke: {error}") from error


@functools.cache
def _trusted() -> ssl.SSLContext:
    """This machine's certificate authorities and Mozilla's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
