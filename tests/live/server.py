"""uvicorn with the product's ASGI application on the database of the tests, in a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
from django.db import connection

from ..postgres import free_port
from ..product import ROOT

# One user opens all the streams of a test.
QUICK = {"LIVE_STREAMS_PER_USER": "2000", "ALLOWED_HOSTS": "127.0.0.1"}


def database_url() -> str:
    """The database that this process's Django uses, as a DATABASE_URL."""
    of = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{of['NAME']}"
    return f"postgres://{of['USER']}:{quote(of['PASSWORD'])}@{of['HOST']}:{of['PORT']}/{of['NAME']}"


class StreamServer:
    """`with StreamServer(folder) as server:` serves on 127.0.0.1 at `server.port`, until the block ends."""

    def __init__(
        self, folder: Path, *, url: str = "", application: str = "runs_dashboard.asgi:application", **more: str
    ) -> None:
        self.port = free_port()
        self.log = folder / f"server-{self.port}.log"
        self.application = application
        self.environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        self.environment |= {"HOME": str(folder), "DATA_DIR": str(folder), "DATABASE_URL": url or database_url()}
        self.environment |= {"SECRET_KEY": os.environ["SECRET_KEY"], "PYTHONPATH": str(ROOT), **QUICK, **more}
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> "StreamServer":
        command = [sys.executable, "-m", "uvicorn", self.application, "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--no-access-log", "--timeout-graceful-shutdown", "10"]
        setpriv = shutil.which("setpriv")
        if setpriv:  # tests that are killed leave nothing running
            command = [setpriv, "--pdeathsig", "TERM", "--", *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, self.read_log()
            assert time.monotonic() < deadline, self.read_log()
            time.sleep(0.05)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> float:
        """SIGTERM; returns the seconds that it took to end."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"SIGTERM had no effect:\n{self.read_log()}") from None
        return time.monotonic() - began

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def usage(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def count_database_handles(self) -> int:
        """Open files that belong to the SQLite database, or connections to the PostgreSQL server."""
        if connection.vendor == "sqlite":
            return sum("sqlite3" in file.path for file in self.usage.open_files())
        port = int(connection.settings_dict["PORT"])
        return sum(bool(one.raddr) and one.raddr.port == port for one in self.usage.net_connections("tcp"))
