"""`manage.py up`: the whole product on one machine, as one tree of processes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import SystemCheckError
from django.db import DatabaseError

from .. import first_start, web_server
from ..data_folder import UnfitFolder, check_data_folder
from ..plain_command import Error, PlainCommand
from ..processes import Child, Family


class Command(PlainCommand):
    help = "Prepares the database and serves the dashboard, and executes runs, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        is_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
        try:
            check_data_folder(settings.DATA_DIR, holds_database=is_sqlite)
            door = web_server.listen(host, port)
        except (UnfitFolder, web_server.PortTaken) as problem:
            raise Error(str(problem)) from problem
        with Family() as family:
            preparing = family.begin(lambda: self._prepare(door))
            # The parent imports meanwhile, and never opens the database: its children are forks of it.
            self._warm_up()
            code = family.finish(preparing)
            if code:
                sys.exit(code)
            if not family.asked:
                self._announce(web_server.address_of(door), host, is_sqlite=is_sqlite)
                family.keep(
                    [
                        Child("web server", lambda: web_server.serve(door), web_server.GRACEFUL_SECONDS + 2),
                        Child("worker", lambda: self._work(door), settings.DRAIN_SECONDS + 10),
                    ],
                    on_end=lambda: self._end(door),
                )
        self.print("Ended.")

    def _prepare(self, door: Any) -> None:
        door.close()
        try:
            self.check()
            first_start.prepare(self.print)
        except DatabaseError as error:
            self._refuse(f"The database cannot be used: {str(error).strip()}")
        except SystemCheckError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> NoReturn:
        """Ends a child with a sentence: Django's own way of saying it is the parent's."""
        self.stderr.write(f"Error: {why}")
        sys.exit(1)

    def _warm_up(self) -> None:
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        web_server.warm_up()
        from ...execution import worker  # noqa: F401

    def _work(self, door: Any) -> None:
        door.close()
        from ...execution.worker import run_worker

        run_worker()

    def _announce(self, address: str, host: str, *, is_sqlite: bool) -> None:
        database = "SQLite in the same folder" if is_sqlite else "PostgreSQL"
        self.print(
            f"Runs Dashboard: {address}",
            f"Data: {settings.DATA_DIR} (database: {database})",
            f"Stop: Ctrl-C or SIGTERM; running runs get {settings.DRAIN_SECONDS:g} s to end",
        )
        if host not in ("127.0.0.1", "localhost", "::1") and host not in settings.ALLOWED_HOSTS:
            self.print("Note: set ALLOWED_HOSTS to the names under which others ask for the pages.")

    def _end(self, door: Any) -> None:
        door.close()
        self.print("Ending: no new run starts, running ones get time. Once more ends it quicker.")
