"""What a terminal's screen shows of one printed line, which may move the cursor along its row, up and down.

Rows are numbered from the one that the line begins in: -1 is the row above it. Of what stood there before, nothing is
known here: a row that is written to is shown with the new text alone. Cursor moves after ECMA-48, 8.3.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from .looks import PLAIN, AnsiState

# A piece of text in one look.
Run = tuple[AnsiState, str]

# Moves stop at these distances: a line cannot reach further, whatever it says.
MOST_ROWS = 200
MOST_COLUMNS = 500


class Screen:
    """Rows of cells, where a later character takes an earlier one's place.

    `row` is where the cursor ends; `cleared` the first of the rows that were erased down to the screen's end, or None.
    """

    # Erasing and moving cost time by the width of the row: what one line may cost, so that none can hold a page up.
    budget = 1_000_000

    def __init__(self) -> None:
        self._rows: dict[int, list[tuple[str, AnsiState]]] = {}
        self._column = 0
        self.row = 0
        self.cleared: int | None = None

    def write(self, text: str, look: AnsiState) -> None:
        """Text without control characters, at the cursor."""
        if not text:
            return
        cells = self._rows.setdefault(self.row, [])
        missing = self._column - len(cells)
        if missing > 0:
            cells.extend([(" ", PLAIN)] * missing)
        end = self._column + len(text)
        cells[self._column : end] = [(character, look) for character in text]
        self._column = end

    def control(self, character: str) -> None:
        """A carriage return, a backspace or a line feed; any other control does nothing."""
        if character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(0, self._column - 1)
        elif character == "\n":
            self._go_down(1)
            self._column = 0

    def move(self, final: str, numbers: str) -> None:
        """A control sequence by its last letter; those that neither move nor erase do nothing."""
        count = int(numbers[:6]) if numbers.isdigit() else 0
        if final == "K":
            self._erase_in_row(numbers)
        elif final == "J":
            self._erase_below(numbers)
        elif final == "G":
            self._column = min(max(count, 1) - 1, MOST_COLUMNS)
        elif final in "ABCDEF":
            count = max(count, 1)
            if final in "AF":
                self.row = max(self.row - count, -MOST_ROWS)
            elif final in "BE":
                self._go_down(count)
            elif final == "C":
                self._column = max(self._column, min(self._column + count, MOST_COLUMNS))
            else:
                self._column = max(0, self._column - count)
            if final in "EF":
                self._column = 0

    def get_rows(self) -> Iterator[tuple[int, list[Run]]]:
        """The rows that were written to or erased, from top to bottom."""
        for row, cells in sorted(self._rows.items()):
            runs = groupby(cells, key=itemgetter(1))
            yield row, [(look, "".join(character for character, _ in same)) for look, same in runs]

    def _go_down(self, count: int) -> None:
        self.row = min(self.row + count, MOST_ROWS)

    def _erase_in_row(self, numbers: str) -> None:
        """EL: to the end of the row, from its beginning, or all of it; the cursor stays."""
        self.budget -= self._column
        if self.budget < 0:
            return
        cells = self._rows.setdefault(self.row, [])
        if numbers in ("", "0"):
            del cells[self._column :]
        elif numbers == "1":
            end = min(self._column + 1, len(cells))
            cells[:end] = [(" ", PLAIN)] * end
        elif numbers == "2":
            cells.clear()

    def _erase_below(self, numbers: str) -> None:
        """ED to the end of the screen; a log keeps what an erased screen showed, so the other forms do nothing."""
        if numbers not in ("", "0"):
            return
        if self._column == 0 or self.row in self._rows:
            self._erase_in_row("0")
        self.budget -= len(self._rows)
        if self.budget < 0:
            return
        self._rows = {row: cells for row, cells in self._rows.items() if row <= self.row}
        below = self.row + 1
        self.cleared = below if self.cleared is None else min(self.cleared, below)
