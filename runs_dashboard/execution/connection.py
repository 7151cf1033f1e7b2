"""Connections of the outbound client: made only to an address that was checked, and never waiting for long.

The name is resolved once and what was checked is what is connected to, so that neither a redirect nor a name that
changes its address gets around the check. Every wait is short, so that the deadline and a stop are noticed whatever
the server does.
"""

import functools
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from .addresses import Allowed, find_objection

CONNECT_TIMEOUT = 10.0
POLL = 0.1  # seconds between looks at the deadline and at `should_stop`
READ_SIZE = 64 * 1024


class Failed(Exception):
    """No answer could be had; the message says why, in plain words."""


class Refused(Failed):
    """Not sent, or a redirect not followed, because it is not allowed; the message says why."""


class Stopped(Failed):
    """`should_stop` said so."""


class Watch:
    """The deadline and the stop of one request."""

    def __init__(self, timeout: float, should_stop: Callable[[], bool]) -> None:
        self.timeout, self.should_stop = timeout, should_stop
        self.began = time.monotonic()
        self.next_look = 0.0

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def check(self) -> None:
        now = time.monotonic()
        if now - self.began > self.timeout:
            raise Failed(f"no complete answer within {self.timeout:g} s")
        if now >= self.next_look:
            self.next_look = now + POLL
            if self.should_stop():
                raise Stopped("stopped while the request was under way")

    def wait(self, sock: socket.socket, event: int) -> bool:
        """At most one short wait for the socket; whether it is ready."""
        self.check()
        left = max(0.0, min(POLL, self.began + self.timeout - time.monotonic()))
        poller = select.poll()
        poller.register(sock, event)
        return bool(poller.poll(left * 1000 + 1))


class CheckingBackend(httpcore.NetworkBackend):
    """Connects to the address it has checked, never to the name. is_named_only: to what `allow` names alone."""

    def __init__(self, allow: Allowed, watch: Watch) -> None:
        self.allow, self.watch, self.is_named_only = allow, watch, False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        permitted = self._choose(host, port)
        share = min(CONNECT_TIMEOUT, self.watch.timeout) / len(permitted)
        problem = "no answer"
        for family, address in permitted:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connect(sock, address, time.monotonic() + share)
                return _Stream(sock, self.watch, host)
            except OSError as error:
                problem = error.strerror or str(error)
                sock.close()
            except BaseException:
                sock.close()
                raise
        raise Failed(f"cannot connect to {host}, port {port}: {problem}")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise Refused("only network addresses can be asked")

    def _choose(self, host: str, port: int) -> list[tuple[int, Any]]:
        found = _resolve(host, port, self.watch)
        if self.allow.has_host(host, port):
            return found
        objections = [
            find_objection(address[0], port, self.allow, is_named_only=self.is_named_only) for _, address in found
        ]
        permitted = [where for where, objection in zip(found, objections, strict=True) if objection is None]
        if not permitted:
            raise Refused(f"{host} may not be reached: {objections[0]}; the setting HTTP_ALLOW can name it")
        return permitted

    def _connect(self, sock: socket.socket, address: Any, until: float) -> None:
        try:
            sock.connect(address)
            return
        except BlockingIOError:
            while not self.watch.wait(sock, select.POLLOUT):
                if time.monotonic() > until:
                    raise TimeoutError("no answer") from None
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))


def _resolve(host: str, port: int, watch: Watch) -> list[tuple[int, Any]]:
    """Family and address of each address of a name, asked once; in a thread, as it cannot be interrupted."""
    result: list[Any] = []

    def ask() -> None:
        try:
            result.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            result.append(error)

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    while thread.is_alive():
        watch.check()
        thread.join(POLL)
    if isinstance(result[0], Exception):
        raise Failed(f"the name {host} cannot be resolved: {getattr(result[0], 'strerror', None) or result[0]}")
    return [(family, address) for family, _, _, _, address in result[0]]


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is short."""

    def __init__(self, sock: socket.socket, watch: Watch, host: str) -> None:
        self.sock, self.watch, self.host = sock, watch, host

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data: bytes = self._do(functools.partial(self.sock.recv, min(max_bytes, READ_SIZE)), select.POLLIN)
            return data
        except (OSError, ssl.SSLError) as error:
            raise httpcore.ReadError(error.strerror or str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                rest = rest[self._do(functools.partial(self.sock.send, rest[:READ_SIZE]), select.POLLOUT) :]
        except (OSError, ssl.SSLError) as error:
            raise httpcore.WriteError(error.strerror or str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            secure = ssl_context.wrap_socket(self.sock, server_hostname=server_hostname, do_handshake_on_connect=False)
            self.sock = secure
            self._do(secure.do_handshake, select.POLLIN)
        except BaseException as error:
            self.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise Failed(f"the certificate of {self.host} is not trusted: {error.verify_message}") from error
            if isinstance(error, (OSError, ValueError)):
                raise Failed(f"no secure connection to {self.host}: {error}") from error
            raise
        return self

    def close(self) -> None:
        self.sock.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self.sock, ssl.SSLSocket):
            return self.sock
        if info == "is_readable":
            poller = select.poll()
            poller.register(self.sock, select.POLLIN)
            return bool(poller.poll(0))
        return None

    def _do(self, action: Callable[[], Any], event: int) -> Any:
        while True:
            self.watch.check()
            try:
                return action()
            except ssl.SSLWantReadError:
                self.watch.wait(self.sock, select.POLLIN)
            except ssl.SSLWantWriteError:
                self.watch.wait(self.sock, select.POLLOUT)
            except BlockingIOError:
                self.watch.wait(self.sock, event)
