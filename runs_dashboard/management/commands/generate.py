"""`manage.py generate`: a synthetic, reproducible history, for demonstrations and benchmarks."""

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ...models import Run, count_day, recount_failures, refresh_statistics
from ..big_run import write_big_run
from ..company import found_company
from ..history import History, plan_for
from ..plain_command import Error, PlainCommand, find_tenant


class Command(PlainCommand):
    help = "Fills the database with finished runs, their steps and logs. The same seed gives the same on the same day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--runs", type=int, required=True, help="how many runs")
        parser.add_argument("--flows", type=int, default=12, help="of how many flows (12)")
        parser.add_argument("--days", type=int, default=60, help="over how many days until today (60)")
        parser.add_argument("--lines", type=int, default=30, help="log lines of a run on average (30)")
        parser.add_argument("--seed", type=int, default=1, help="another seed, another history (1)")
        parser.add_argument("--big", type=int, default=0, metavar="LINES", help="one run more, with so many lines")
        parser.add_argument("--tenant", default="default", help="id of the tenant it is for (default)")

    def handle(
        self, *, runs: int, flows: int, days: int, lines: int, seed: int, big: int, tenant: str, **options: Any
    ) -> None:
        self.require_database()
        bounds = {"runs": (runs, 0, 10**7), "flows": (flows, 1, 500), "days": (days, 1, 3_650)}
        bounds |= {"lines": (lines, 0, 10**5), "big": (big, 0, 10**9), "seed": (seed, 0, 2**32)}
        for name, (value, least, most) in bounds.items():
            if not least <= value <= most:
                raise Error(f"--{name} is a number from {least:,} to {most:,}.")
        began = time.monotonic()
        company = found_company(find_tenant(tenant), flows=flows, days=days, seed=seed)
        plan = plan_for(company, runs=runs, seed=seed)
        history = History(company, lines=lines)
        history.name(plan)
        names = [one.uid for one in plan[:100]]
        if Run.objects.of(company.tenant).filter(uid__in=names).exists():
            raise Error(f"The history of seed {seed} is there already: take another --seed.")
        self._told = began

        def tell(done: int) -> None:
            now = time.monotonic()
            if now - self._told > 2:
                self._told = now
                self.print(f"{done:,} of {runs:,} runs, {done / (now - began):,.0f} a second")

        history.write(plan, tell=tell)
        recount_failures()  # in the order of their times: batches only know what was resolved by then
        refresh_statistics()
        took = time.monotonic() - began
        self.print(
            f"{runs:,} runs of {flows} flows with {history.line_total:,} lines in {took:.1f} s "
            f"({runs / took:,.0f} runs a second)"
        )
        today = timezone.now().date()
        for back in range(days + 2):
            count_day(today - timedelta(days=back))
        if big:
            began = time.monotonic()
            uid = write_big_run(company, lines=big, seed=seed, tell=self.print)
            took = time.monotonic() - began
            self.print(f"run {uid} with {big:,} lines in {took:.1f} s ({big / took:,.0f} lines a second)")
