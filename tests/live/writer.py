"""`python -m tests.live.writer RUNS LINES PAUSE`: a program beside the product that appends to runs of its own.

It prints the ids of its runs, one a line. For a line on its standard input it begins: LINES lines to one run after
another, so that each run gets them once in PAUSE seconds; each line carries the moment of its append as `t=<seconds>`.
It ends with its standard input.
"""

import os
import sys
import threading
import time

import django

WORDS = ("load", "store", "check", "send", "read", "write", "merge")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
    django.setup()
    from runs_dashboard.models import Flow, Machine, Tenant, append
    from runs_dashboard.text.intake import Line

    count, lines, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    engine = Machine(name="writer")
    flow = Flow.named("written", tenant=Tenant.objects.get(slug="default"), by=engine)
    runs = [flow.start({}, trigger="external", by=engine) for _ in range(count)]
    for run in runs:
        print(run.uid, flush=True)  # noqa: T201  (what it is started for)
    sys.stdin.readline()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    due = time.monotonic()
    while True:
        for run in runs:
            due += pause / count
            if ended.wait(max(0.0, due - time.monotonic())):
                return
            text = (
                f"step 3 processed a batch host=worker-7 rows=1288 t={time.time():.6f} and some more text to be a line"
            )
            # Each line is another: a page folds neighbours that repeat.
            append(
                run, [Line(f"{WORDS[place % len(WORDS)]} {text}", 1, "stdout", time.time()) for place in range(lines)]
            )


if __name__ == "__main__":
    main()
