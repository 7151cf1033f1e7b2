// Jumps in a log: to a line, a time, a share, an end, the next error. The server says where that is.
const MOST_WAITING = 3;

function logJumps() {
  const log = document.getElementById("lines")?.log;
  if (!log) return;
  const { box, section } = log;
  const menu = document.getElementById("log-go");
  let under = Promise.resolve(); // one jump after the other
  let waiting = 0;

  function go(to) {
    if (waiting >= MOST_WAITING) return under; // a key that is held down
    waiting += 1;
    under = under.then(() => jump(to)).catch(() => log.tell("No answer: try again."));
    return under.then(() => (waiting -= 1));
  }

  async function jump(to) {
    if (to === "start") await log.toStart();
    else if (to === "end") await (log.resume ?? log.toEnd)();
    else await find(to);
  }

  async function find(to) {
    const address = new URL(section.dataset.goUrl, location.href);
    address.search = section.dataset.part;
    address.searchParams.set("to", to);
    address.searchParams.set("here", String(log.current(to.startsWith("previous"))));
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const { line, said, line_count: count } = await answer.json();
    log.note(count);
    if (line && (await log.show(line))) log.choose(line);
    if (said) log.tell(said);
    if (line) close();
  }

  function close() {
    if (!menu.open) return;
    menu.open = false;
    box.focus({ preventScroll: true });
  }

  log.go = go;
  section.addEventListener("submit", (event) => {
    if (!event.target.matches("#log-counts, #log-go form")) return;
    event.preventDefault();
    const to = new FormData(event.target, event.submitter).getAll("to").at(-1)?.trim();
    if (to) go(to).then(() => ["start", "end"].includes(to) && close());
  });
  section.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-jump]");
    if (!way || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(way.dataset.jump);
  });
  menu.addEventListener("toggle", () => menu.open && document.getElementById("go-to").select());

  const KEYS = { e: "next error", E: "previous error", w: "next warning", W: "previous warning", G: "end" };
  const isTyping = (target) => target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const isInside = box.contains(document.activeElement);
    if (event.key in KEYS) go(KEYS[event.key]);
    else if (event.key === "Home" && isInside) go("start");
    else if (event.key === "End" && isInside) go("end");
    else return;
    event.preventDefault();
  });
}

logJumps();
