// The line that a program has not ended: the last row of an open log, without a number. It comes from the server whole
// ("log:growing" on #tail; no HTML: there is none), and stays below the lines that come meanwhile.
function logGrowing() {
  const tail = document.getElementById("tail");
  const log = document.getElementById("lines")?.log;
  if (!tail || !log) return;
  const { box } = log;
  let row = document.getElementById("growing");

  // Only below the last line of the log: where later lines are left out, it would be a lie.
  function place() {
    if (!row) return;
    if (log.cut("later")) row.remove();
    else if (box.lastElementChild !== row) box.append(row);
  }

  function show(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const next = template.content.firstElementChild;
    if (row && next) {
      row.className = next.className;
      row.replaceChildren(...next.childNodes);
      return;
    }
    row?.remove();
    row = next;
    place();
  }

  // In the frame that draws the lines which came before it: a line that has ended is never there twice, or missing.
  tail.addEventListener("log:growing", (event) => requestAnimationFrame(() => show(event.detail)));
  new MutationObserver(place).observe(box, { childList: true });
}

logGrowing();
