// The ruler beside a log: where in the whole of it warnings, errors and hits are, and which part is seen.
// All that it leads to is reached by keys as well: e, w, n, Go to.
const REFRESH = 10_000; // milliseconds, while the log grows
const LEAST = 0.4; // per cent: what is smaller is still seen
const REACH = 1.5; // per cent: so near to a mark a click means the mark

function ruler() {
  const log = document.getElementById("lines")?.log;
  const root = document.getElementById("ruler");
  if (!log || !root) return;
  const { box, section } = log;
  const view = document.getElementById("ruler-view");
  let marks = []; // [first, last, level]
  let hits = [];
  let frame = 0;
  let waiting = 0;

  const share = (line) => (100 * (line - 1)) / Math.max(1, log.lineCount);

  function rect(kind, first, last, x, width) {
    const found = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = Math.max(LEAST, share(last + 1) - share(first));
    const sizes = { class: kind, x, width, y: `${Math.min(100 - height, share(first))}%`, height: `${height}%` };
    for (const [name, value] of Object.entries(sizes)) found.setAttribute(name, String(value));
    return found;
  }

  function draw() {
    const kinds = marks.map(([first, last, level]) => (level > 2 ? rect("e", first, last, 1, 10) : rect("w", first, last, 4, 4)));
    document.getElementById("ruler-marks").replaceChildren(...kinds);
    document.getElementById("ruler-hits").replaceChildren(...hits.map((line) => rect("f", line, line, 2, 8)));
    root.hidden = log.lineCount < 2;
    place();
  }

  // Which part of the whole is seen.
  function place() {
    frame = 0;
    const frameBox = box.getBoundingClientRect();
    const from = log.current(true);
    let row = document.getElementById(`L${log.current(true)}`);
    let last = from;
    while (row && row.getBoundingClientRect().top < frameBox.bottom) {
      if (row.id[0] === "L") last = log.number(row);
      row = row.nextElementSibling;
    }
    const height = Math.max(1, share(last + 1) - share(from));
    view.setAttribute("y", `${Math.max(0, Math.min(100 - height, share(from)))}%`);
    view.setAttribute("height", `${height}%`);
  }

  async function read() {
    waiting = 0;
    const answer = await fetch(section.dataset.marksUrl, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    marks = (await answer.json()).marks;
    draw();
  }

  root.addEventListener("click", (event) => {
    const { top, height } = root.getBoundingClientRect();
    const at = (100 * (event.clientY - top)) / height;
    const near = [...marks.map(([first]) => first), ...hits]
      .map((line) => [Math.abs(share(line) - at), line])
      .filter(([distance]) => distance < REACH)
      .sort(([one], [other]) => one - other)[0];
    const line = near?.[1] ?? Math.max(1, Math.min(log.lineCount, Math.round((at / 100) * log.lineCount) + 1));
    if (near) log.show(line).then((row) => row && log.choose(line));
    else log.go(`${Math.max(0, Math.min(100, at)).toFixed(3)}%`);
  });

  const soon = () => (frame ||= requestAnimationFrame(place));
  box.addEventListener("scroll", soon);
  box.addEventListener("log:changed", soon);
  box.addEventListener("log:grew", () => {
    soon();
    if (!document.hidden) waiting ||= setTimeout(read, REFRESH);
  });
  box.addEventListener("log:hits", (event) => {
    hits = event.detail;
    draw();
  });
  document.getElementById("tail")?.addEventListener("log:end", read);
  read();
}

ruler();
