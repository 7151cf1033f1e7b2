"""The outbound client over TLS: certificates, names, big bodies, a server that hangs."""

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runs_dashboard.execution import outbound
from runs_dashboard.execution.outbound import Failed, parse_allowed, request

from .web_servers import HERE, Server, send


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
