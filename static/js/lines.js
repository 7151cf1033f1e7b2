// Links to a line (#L120) and to a range (#L120-L140): what is not on the page is fetched with its surroundings. A click
// on a line's number makes such a link of the address, one with Shift makes it a range.
const PLACE = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/;

function lines() {
  const log = document.getElementById("lines")?.log;
  if (!log) return;
  const { box, section } = log;
  let range = null; // [first, last]

  function read() {
    const found = PLACE.exec(location.hash);
    if (!found) return null;
    const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
    return first <= last ? [first, last] : [last, first];
  }

  function mark() {
    for (const row of box.querySelectorAll(":scope > .here")) row.classList.remove("here");
    const [from, to] = [log.end("earlier"), log.end("later")];
    if (!range || !from) return;
    const last = Math.min(range[1], log.number(to));
    for (let line = Math.max(range[0], log.number(from)); line <= last; line++) {
      document.getElementById(`L${line}`)?.classList.add("here");
    }
  }

  // Marks the lines and names them in the address.
  log.choose = (first, last = first) => {
    range = [first, last];
    log.place = first;
    const address = new URL(location.href);
    address.hash = first === last ? `L${first}` : `L${first}-L${last}`;
    history.replaceState(history.state, "", address);
    mark();
  };

  async function go(isStill) {
    range = read();
    if (!range) return;
    const row = await log.show(range[0], isStill);
    if (!row && section.dataset.part && range[0] <= log.lineCount) {
      // It is there, but this part of the log leaves it out.
      const address = new URL(location.href);
      for (const name of ["step", "attempt", "stream", "level", "before", "from"]) address.searchParams.delete(name);
      location.replace(address);
      return;
    }
    mark();
  }

  // A long log that has ended opens at its last lines, not at the first of those that are shown.
  function isTail() {
    const asked = new URLSearchParams(location.search);
    const isAsked = (asked.get("from") ?? "end") !== "end" || asked.has("before") || asked.has("hit");
    return !isAsked && log.cut("earlier") && !log.cut("later");
  }

  box.addEventListener("click", (event) => {
    const way = event.target.closest?.("a");
    const row = way?.parentElement;
    if (row?.parentElement !== box || row.firstElementChild !== way || row.id[0] !== "L") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const line = log.number(row);
    if (!event.shiftKey || !range) log.choose(line);
    else if (line < range[0]) log.choose(line, range[1]);
    else log.choose(range[0], line);
    if (event.shiftKey) getSelection().removeAllRanges(); // the browser selects text up to there
    log.release();
  });
  box.addEventListener("log:changed", mark);
  addEventListener("hashchange", () => go(false));

  box.dataset.own = "";
  if (read()) go(false);
  else if (section.dataset.error) {
    const line = Number(section.dataset.error);
    range = [line, line];
    log.show(line, true).then(mark);
  } else if (isTail()) log.toEnd();
}

lines();
