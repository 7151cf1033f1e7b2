"""From a line being printed by a step to its arrival in an open page, by the page's own stream."""

import re
import time

from .context import Context, command_flow, percentile, post_webhook
from .table import Row

LINES = 100
PAUSE = 0.05  # seconds between two lines
SCRIPT = f'n=0; while [ $n -lt {LINES} ]; do sleep {PAUSE}; date "+told %s.%N"; n=$((n+1)); done'


def run(context: Context) -> list[Row]:
    delays = []
    with context.running() as product:
        product.load_flow(command_flow("teller", ["sh", "-c", SCRIPT]))
        with product.api() as api, product.signed_in() as browser:
            identity = post_webhook(api, "teller")
            page = browser.get(f"/runs/{identity}/").text
            address = re.search(r'data-stream="([^"]+)"', page)
            assert address is not None, "the run page names no stream"
            with browser.stream("GET", address[1].replace("&amp;", "&")) as stream:
                for text in stream.iter_lines():
                    arrived = time.time()
                    delays += [arrived - float(told) for told in re.findall(r"told (\d+\.\d+)", text)]
                    if text == "event: end":
                        break
    assert len(delays) >= LINES * 0.9, f"only {len(delays)} of {LINES} lines came by the stream"
    detail = f"{len(delays)} lines, one viewer; p95 {percentile(delays, 95):.3f} s"
    return [Row("printed to seen in an open page, p50", percentile(delays, 50), "s", "≤ 0.2", detail)]
