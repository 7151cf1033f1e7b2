"""`manage.py serve`: the web half alone, for many machines."""

from argparse import ArgumentParser
from typing import Any

from .. import web_server
from ..plain_command import Error, PlainCommand


class Command(PlainCommand):
    help = "Serves the dashboard until Ctrl-C or SIGTERM. Runs are executed by `manage.py worker`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        self.check()
        try:
            door = web_server.listen(host, port)
        except web_server.PortTaken as problem:
            raise Error(str(problem)) from problem
        self.print(f"Runs Dashboard: {web_server.address_of(door)}")
        web_server.serve(door)
