"""`python hostile.py SEED LINES PAUSE`: prints lines made to break a log, in pieces that break them.

Colours, links, progress bars, moves of the cursor, long lines, letters of several bytes cut in two, bytes that are no
UTF-8, NULs, empty lines. The same seed prints the same bytes. LINES 0: for ever.
"""

import os
import random
import sys
import time
from collections.abc import Iterator

LINE_LIMIT = 65_536  # characters; a longer line goes on in the next entry
WORDS = ["load", "über", "naïve", "数据", "🚚", "\u202eright to left", "e\u0301", "İstanbul", "a\tb", '<b onload="x">']
CODES = [
    "\x1b[31m",
    "\x1b[1;38;5;208m",
    "\x1b[38;2;1;2;3m",
    "\x1b[0m",
    "\x1b[2K",
    "\x1b[1A",
    "\x1b]8;;https://a.example\x07",
]


def write_lines(seed: int, *, is_unclean: bool = True) -> Iterator[bytes]:
    """Lines with their line feeds, without end. is_unclean: some have NULs and bytes that are no UTF-8."""
    choose = random.Random(seed)
    number = 0
    while True:
        number += 1
        words = [choose.choice(WORDS + CODES) for _ in range(choose.randrange(9))]
        line = f"{seed}/{number} {' '.join(words)}".encode()
        match choose.randrange(12):
            case 0:
                line = b"\r".join(b"%d %%" % (percent * 10) for percent in range(choose.randrange(2, 11))) + line
            case 1 if is_unclean:
                line = line[:-1] + choose.choice([b"\xff\xfe", b"\0", b"\xe2\x82"]) + b" tail"
            case 2:
                line = b""
            case 3:
                line += b"\r"
            case 4 if number % 50 < 3:
                line += ("é" * choose.randrange(LINE_LIMIT, 2 * LINE_LIMIT)).encode()
        yield line + b"\n"


def expect_text(sent: bytes) -> str:
    """What is kept of bytes: all of it, with U+FFFD for what is no text."""
    return sent.decode(errors="replace").replace("\0", "\ufffd")


def expect_messages(sent: bytes) -> list[str]:
    """The entries that bytes come to."""
    messages = []
    for line in expect_text(sent).removesuffix("\n").split("\n"):
        pieces = [line[at : at + LINE_LIMIT] for at in range(0, len(line), LINE_LIMIT)]
        messages += pieces or [""]
    return messages


def join_messages(messages: list[str]) -> bytes:
    """The text that entries came from: a line feed after each that does not go on in the next."""
    return "".join(one if len(one) == LINE_LIMIT else one + "\n" for one in messages).encode()


def main() -> None:
    seed, count, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    choose = random.Random(seed)
    kept = b""
    for number, line in enumerate(write_lines(seed), 1):
        kept += line
        while len(kept) > 3_000 or (number == count and kept):
            kept = kept[os.write(1, kept[: choose.randrange(1, 3_000)]) :]
        if number == count:
            return
        time.sleep(pause)


if __name__ == "__main__":
    main()
