"""The programs of the flows `demo-order` and `demo-shipping`: an order goes through a small shop."""

import os
import time

from runs_dashboard.chores.report import ChoreError, read_number, read_setting, report, say, warn

PRICE = 19.90


def check() -> None:
    """Takes the order in: tracks its number, works out the total. Raises ChoreError beyond the stock."""
    order_id, items = read_setting("INPUT_ORDER_ID"), read_number("INPUT_ITEMS", 1)
    report(track={"order_id": order_id})
    if items > 90:
        raise ChoreError(f"Order {order_id}: {items} items are wanted and 90 are in stock. Retry with fewer.")
    total = round(items * PRICE, 2)
    say(f"Order {order_id}: {items} × {PRICE:.2f} = {total:.2f}")
    if total > 500:
        warn(f"Order {order_id} is large: look at it before you let it pass.")
    report(output={"total": total, "items": items}, metric={"operations_sent": items})


def pack() -> None:
    """Packs the items one by one."""
    items = read_number("INPUT_ITEMS", 1)
    report(track={"order_id": read_setting("INPUT_ORDER_ID")})
    for item in range(1, items + 1):
        say(f"Item {item} of {items} is in the parcel")
        time.sleep(0.05)
    report(output={"parcels": -(-items // 10)})


def label() -> None:
    """Prints the parcel's label."""
    order_id = read_setting("INPUT_ORDER_ID")
    service = "express" if os.environ.get("INPUT_EXPRESS", "").lower() == "true" else "standard"
    say(f"{read_setting('PARCELS')} parcel(s) by {service} delivery")
    report(output={"tracking": f"RD-{order_id}-{service[:1].upper()}"})


def close() -> None:
    """Says that all is done."""
    say(f"Order {read_setting('INPUT_ORDER_ID')} over {read_setting('TOTAL')} is on its way. Search for it!")
