// The screen of a terminal, for reading.js: what a line with cursor moves overwrote is folded away, the last state is
// seen. data-move on a row says where its line leaves the cursor, data-at on its parts which rows of the screen they are
// (runs_dashboard/text/ansi.py).
const SCREEN = 400; // rows that a cursor may come back to

function makeTerminal(reading) {
  const { infos, number, lineOf, textOf, put, change, makeRow, dissolve } = reading;

  // Puts the row on the screen; true if it moved the cursor or overwrote something.
  function draw(row, place) {
    const { cells } = place;
    const move = row.getAttribute("data-move");
    let isDrawn = move !== null;
    const write = (at, element) => {
      if (cells[at] && cells[at] !== row) {
        cover(cells[at], row, place);
        isDrawn = true;
      }
      cells[at] = element;
    };
    let end = 0;
    if (move === null) {
      // What goes on in a line that was not ended stands behind it.
      if (!cells[place.at]?.classList.contains("open")) write(place.at, row);
    } else {
      const [last, cleared] = move.split(",").map(Number);
      end = last;
      if (cleared !== undefined) for (let at = Math.max(0, place.at + cleared); at < cells.length; at++) write(at, undefined);
      const parts = textOf(row).querySelectorAll(":scope > [data-at]");
      if (!parts.length && textOf(row).textContent) write(place.at, row);
      for (const part of parts) {
        const at = place.at + Number(part.dataset.at);
        if (at >= 0) write(at, part.textContent ? part : undefined);
      }
    }
    place.at = Math.max(0, place.at + end) + (row.classList.contains("open") ? 0 : 1);
    if (place.at > 3 * SCREEN) place.at -= cells.splice(0, place.at - SCREEN).length;
    return isDrawn;
  }

  function cover(element, by, place) {
    const row = lineOf(element);
    const info = infos.get(row);
    if (!info) return;
    let { redraw } = place;
    if (!redraw || number(row) > redraw.last + 1) {
      redraw = place.redraw = info.redraw ??= { isTouched: false, isOpen: false };
      redraw.covered = new Set();
      redraw.top = row;
      if (!redraw.row) makeRow(redraw, "redrawn");
    }
    if (info.repeat) dissolve(info.repeat);
    redraw.last = number(by);
    redraw.covered.add(element);
    element.classList.add("over");
    if (number(row) < number(redraw.top)) redraw.top = row;
    if (row !== element) infos.set(element, { group: null, repeat: null, over: redraw });
    // A row goes with the last of its parts.
    const isSeen = (part) => part.textContent && !part.classList.contains("over");
    if (row === element || ![...element.parentElement.children].some(isSeen)) info.over = redraw;
    change(redraw, element);
    change(redraw, row);
    put(redraw, "before", redraw.top);
  }

  return { draw };
}

const slab = document.getElementById("lines");
if (slab) slab.makeTerminal = makeTerminal;
