"""Lines a second from a program's standard output to the database, with not one lost."""

from .context import Context, command_flow, measured, post_webhook, read_lines, wait_until_final
from .table import Row

LINES = 500_000
TEXT = "2026-01-01T00:00:00Z INFO order %.0f was copied to the warehouse, 3 positions"


def run(context: Context) -> list[Row]:
    with context.running() as product:
        product.load_flow(command_flow("talker", ["seq", "-f", TEXT, str(LINES)]))
        with product.api() as api, measured(product) as meter:
            identity = post_webhook(api, "talker")
            finished = wait_until_final(api, identity, seconds=300, every=0.2)
        with product.api() as api:
            (last,) = read_lines(api, identity, after=LINES - 1)
    assert finished["phase"] == "succeeded", finished
    assert (last["line"], last["message"]) == (LINES, TEXT.replace("%.0f", str(LINES))), last
    detail = f"{LINES:,} lines of {len(TEXT)} characters; {meter.cpu / LINES * 1e6:.1f} ms of CPU for 1,000 lines"
    return [Row("lines a second through a command", LINES / meter.seconds, "lines/s", "≥ 50,000", detail)]
