"""The real product in its own process, for tests and benchmarks: start it, talk to it, end it, kill it.

Only processes that this object started are ever signalled; they are known by the object's own data folder.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

from .postgres import create_database, drop_database, free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 45.0
Found = TypeVar("Found")
ERROR = re.compile(r"^\S+ \S+ (ERROR|CRITICAL) .*|^Traceback \(most recent call last\):", re.MULTILINE)
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")


class Product:
    """`manage.py up` on a free port, with `data_dir` as its data folder.

    `url` has no slash at its end. `password` is the first admin's, None until a first start printed it.
    `environment` adds to the few variables passed on; `database_url` None means SQLite in the data folder.
    A test that provokes server errors sets `may_log_errors`.
    """

    def __init__(
        self, data_dir: Path, *, database_url: str | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir
        self.log = data_dir.with_name(data_dir.name + ".log")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password: str | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.may_log_errors = False
        self.keys: dict[str, str] = {}  # by user
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.environment |= {"HOME": str(data_dir), "DATA_DIR": str(data_dir)}
        if database_url:
            self.environment["DATABASE_URL"] = database_url
        self.environment |= environment or {}

    # --- its life --------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process and return at once; `start` also waits until it serves."""
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        command += ["--data-dir", str(self.data_dir)]
        setpriv = shutil.which("setpriv")
        if setpriv:  # tests that are killed leave nothing running
            command = [setpriv, "--pdeathsig", "TERM", "--", *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self) -> "Product":
        """Start it and wait until /readyz says 200; raises AssertionError with the log when it does not."""
        self.launch()
        self.wait_until_ready()
        printed = re.search(r"^Password: (\S+)", self.read_log(), re.MULTILINE)
        if printed:
            self.password = printed[1]
        return self

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not self._is_ready(client):
                code = self._main.poll()
                if code is not None or time.monotonic() > deadline:
                    state = "is not ready" if code is None else f"ended with {code}"
                    raise AssertionError(f"the product {state}; its log:\n{self.read_log()}")
                time.sleep(0.02)

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM, then wait; returns the exit status. Raises AssertionError when it does not end."""
        if self._main.poll() is None:
            self._main.send_signal(signal.SIGTERM)
        try:
            return self._main.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_everything()
            raise AssertionError(f"SIGTERM had no effect in {seconds} s:\n{self.read_log()}") from None

    def kill(self) -> None:
        """SIGKILL for the main process alone: its children are left to the product's own care."""
        self._main.kill()
        self._main.wait()

    def kill_everything(self) -> None:
        """SIGKILL for the main process and all that it started, as a power cut would; nobody can tidy up."""
        while victims := self.processes():  # again, as long as one of them started another in between
            for victim in victims:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.kill()  # psutil makes sure that the number is still that process
            psutil.wait_procs(victims, timeout=10)
        self._main.wait()

    def close(self) -> None:
        """End it whatever its state; raises AssertionError if anything of it lives on."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.stop()
        _, survivors = psutil.wait_procs(self.processes(), timeout=5)
        for survivor in survivors:
            survivor.kill()
        assert not survivors, f"still alive after the product ended: {survivors}"

    # --- what is there ---------------------------------------------------------------------------

    @property
    def _main(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, "not started"
        return self.process

    @property
    def pid(self) -> int:
        return self._main.pid

    def _is_ready(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def read_log(self) -> str:
        """What the product printed so far, standard output and standard error together."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """All living processes of this product: its own, its steps', and whatever left their groups."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and self._is_mine(process):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def _is_mine(self, process: psutil.Process) -> bool:
        folder = str(self.data_dir)
        home = process.environ().get("HOME", "")
        if home == folder or home.startswith(folder + os.sep):
            return True
        return process.cwd().startswith(folder + os.sep)

    # --- talking to it ---------------------------------------------------------------------------

    def manage(self, *arguments: str, timeout: float = 300) -> str:
        """Run a management command on the same data; returns its standard output, raises when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def load_flow(self, definition: str) -> None:
        """Create or update the flow that a YAML text defines."""
        file = self.data_dir.with_name(f"{self.data_dir.name}-flow.yaml")
        file.write_text(definition)
        self.manage("loadflows", str(file))

    def api(self, *, user: str = "admin") -> httpx.Client:
        """A client of the API with a key of `user`, always the same one; close it."""
        if user not in self.keys:
            self.keys[user] = self.manage("createkey", "--user", user).strip()
        key = self.keys[user]
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30)

    @contextlib.contextmanager
    def signed_in(self, username: str = "admin", password: str | None = None) -> Iterator[httpx.Client]:
        """Lends a client of the pages with a session of its own; raises AssertionError if it is not let in."""
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30, follow_redirects=True) as client:
            form = client.get("/runs/")
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
            assert token is not None, f"no sign-in form at {form.url}:\n{form.text[:2000]}"
            fields = {"username": username, "password": password or self.password or ""}
            answer = client.post(form.url, data={**fields, "csrfmiddlewaretoken": token[1]})
            assert answer.url.path == "/runs/", f"not signed in:\n{answer.text[:2000]}"
            yield client


class ProductMaker:
    """Call it for a Product with an empty data folder; it is not started yet.

    `make_folder(name)` gives a new folder each time. With a `server_url` each product has its own database
    on that PostgreSQL server, else an SQLite file.
    """

    def __init__(self, make_folder: Callable[[str], Path], server_url: str | None) -> None:
        self.make_folder = make_folder
        self.server_url = server_url
        self.products: list[Product] = []

    def __call__(self, **environment: str) -> Product:
        data_dir = self.make_folder("product") / "data"
        data_dir.mkdir()
        database_url = create_database(self.server_url) if self.server_url else None
        product = Product(data_dir, database_url=database_url, environment=environment)
        self.products.append(product)
        return product

    def end(self, product: Product) -> None:
        """End it and forget its database.

        Raises AssertionError when one of its processes lives on, or when it has logged an error that no test
        expected (`may_log_errors`).
        """
        self.products.remove(product)
        try:
            product.close()
        finally:
            if "DATABASE_URL" in product.environment:
                drop_database(product.environment["DATABASE_URL"])
        if not product.may_log_errors:
            assert not ERROR.search(product.read_log()), f"errors in the log:\n{product.read_log()}"

    def close(self) -> None:
        for product in list(self.products):
            self.end(product)


def wait_for(look: Callable[[], Found], what: str, *, seconds: float = 10.0, every: float = 0.005) -> Found:
    """Look until something true is found, and return it; raises AssertionError naming `what` if not.

    `seconds` bounds the wait; `every` is the pause between two looks, longer where a look costs time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(every)
