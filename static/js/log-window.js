// The rows of an open log: a bounded part of it, wherever the reader is. Rows are asked for as the reader nears the end
// of what is there, those far behind are let go, and the row that is looked at stays where it is.
// How rows are read together (folds, steps, repeats) is reading.js's: it sees what comes and goes.
// What it can do hangs on the element #lines as `log`, for the scripts beside this one.
const MOST_ROWS = 5000; // in the page
const KEPT_ROWS = 4500; // after some were let go
const NEAR = 1500; // pixels from the end of what is there, then more is asked for
const AT_END = 24; // pixels from the end that still count as there
const BEFORE = 20; // lines shown before one that was jumped to

function logWindow() {
  const box = document.getElementById("lines");
  const section = box?.closest("[data-lines-url]");
  if (!section) return;
  const said = document.getElementById("log-said");
  const under = { earlier: false, later: false }; // what is being asked for
  let lineCount = Number(section.dataset.lineCount);
  let anchor = null; // the row that the reader looks at, and where it stands
  let moving = 0;

  const number = (row) => Number(row.id.slice(1));
  const isLine = (row) => row?.id?.[0] === "L";
  const rows = () => box.querySelectorAll(":scope > [id^=L]");
  const cut = (side) => box.querySelector(`:scope > [data-cut=${side}]`);
  const end = (side) => {
    const step = side === "earlier" ? "nextElementSibling" : "previousElementSibling";
    let row = side === "earlier" ? box.firstElementChild : box.lastElementChild;
    while (row && !isLine(row)) row = row[step];
    return row;
  };
  const tell = (text) => (said.textContent = text);
  const shown = (count) => count.toLocaleString("en");
  const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < AT_END;
  const changed = () => box.dispatchEvent(new CustomEvent("log:changed"));

  // --- the reader's place ---------------------------------------------------------------------------------------

  // The rows that are seen, found by halves; hidden ones have no place.
  function firstSeen() {
    const all = box.children;
    const top = box.getBoundingClientRect().top;
    let low = 0;
    let high = all.length;
    while (low < high) {
      let middle = (low + high) >> 1;
      while (middle < high && all[middle].hidden) middle += 1;
      if (middle < high && all[middle].getBoundingClientRect().bottom <= top + 1) low = middle + 1;
      else high = (low + high) >> 1;
    }
    while (all[low]?.hidden) low += 1;
    return all[low] ?? null;
  }

  function look() {
    let row = firstSeen();
    while (row && !isLine(row) && row.nextElementSibling) row = row.nextElementSibling;
    anchor = row ? placed(row) : null;
  }

  const height = (row) => row.getBoundingClientRect().top - box.getBoundingClientRect().top;
  const placed = (row) => ({ row, top: height(row), scroll: box.scrollTop });

  function stay() {
    if (!anchor) return;
    let { row } = anchor;
    while (row && row.hidden) row = row.previousElementSibling;
    if (!row?.isConnected) return;
    // What went below the reader may have left no room to scroll so far: that is no scrolling of the reader's.
    const isCutShort = box.scrollTop < anchor.scroll && box.scrollHeight - box.scrollTop - box.clientHeight < 1;
    const wanted = anchor.top - (isCutShort ? 0 : box.scrollTop - anchor.scroll);
    const moved = height(row) - wanted;
    if (Math.abs(moved) >= 1) box.scrollTop += moved;
    anchor = placed(row);
  }

  // Makes a change above or below the reader, who does not notice.
  function keep(change) {
    look();
    change();
    stay();
    changed();
  }

  box.addEventListener("scroll", () => {
    moving ||= requestAnimationFrame(() => {
      moving = 0;
      look();
      more();
    });
  });
  // Others fold and unfold rows: the reader stays all the same.
  new MutationObserver(() => {
    if (log.isFollowing) box.scrollTop = box.scrollHeight;
    else stay();
  }).observe(box, { childList: true, subtree: true, attributes: true, attributeFilter: ["hidden"] });

  // --- asking for lines -----------------------------------------------------------------------------------------

  async function read(place) {
    const address = new URL(section.dataset.linesUrl, location.href);
    address.search = section.dataset.part;
    for (const [name, value] of Object.entries(place)) address.searchParams.set(name, String(value));
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    if (answer.redirected) location.reload(); // signed out meanwhile
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    note(Number(answer.headers.get("X-Log-Lines")));
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    return template.content;
  }

  function note(count) {
    if (!(count > lineCount)) return;
    lineCount = count;
    document.getElementById("line-count").textContent = shown(count);
    document.getElementById("line-word").textContent = count === 1 ? "line" : "lines";
    section.toggleAttribute("data-wide", count >= 1e6);
    const later = cut("later");
    if (later && !section.dataset.part) later.replaceWith(makeCut("later"));
    box.dispatchEvent(new CustomEvent("log:grew"));
  }

  // What is near is fetched before the reader is there.
  function more() {
    if (box.scrollTop < NEAR) extend("earlier");
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) extend("later");
  }

  async function extend(side) {
    const edge = cut(side);
    if (!edge || under[side] || edge.hasAttribute("data-failed")) return;
    under[side] = true;
    box.dispatchEvent(new CustomEvent("log:asking", { detail: side }));
    const at = Number(edge.dataset.at);
    try {
      const content = await read(side === "earlier" ? { before: at } : { after: at });
      const now = cut(side);
      if (!now || Number(now.dataset.at) !== at) return;
      keep(() => {
        now.replaceWith(content);
        letGo(side === "earlier" ? "later" : "earlier");
      });
    } catch {
      tell("No answer: these lines could not be read. Try again.");
      edge.dataset.failed = "";
      setTimeout(() => edge.removeAttribute("data-failed"), 5000);
    } finally {
      under[side] = false;
      box.dispatchEvent(new CustomEvent("log:asked", { detail: side }));
    }
  }

  const isHeld = (node) => {
    const selection = getSelection();
    const isFocused = node !== document.activeElement && node.contains(document.activeElement);
    return isFocused || (!selection.isCollapsed && selection.containsNode(node, true));
  };

  // Far rows make place for those that come; what goes is said in a row. Nothing selected or focused goes.
  function letGo(side, most = MOST_ROWS, kept = KEPT_ROWS) {
    if (box.childElementCount <= most) return true;
    cut(side)?.remove();
    const range = box.childElementCount - kept;
    let isFree = true;
    for (let count = 0; count < range || !isLine(side === "earlier" ? box.firstElementChild : box.lastElementChild); count++) {
      const row = side === "earlier" ? box.firstElementChild : box.lastElementChild;
      if (isHeld(row)) {
        isFree = false;
        break;
      }
      row.remove();
    }
    box[side === "later" ? "append" : "prepend"](makeCut(side));
    return isFree;
  }

  function makeCut(side) {
    const isEarlier = side === "earlier";
    const row = document.createElement("div");
    const line = end(side) ? number(end(side)) : 1;
    row.className = "cut-row";
    row.dataset.cut = side;
    row.dataset.at = String(line);
    const text = document.createElement("span");
    const count = isEarlier ? line - 1 : lineCount - line;
    if (section.dataset.part || count < 1) text.textContent = isEarlier ? "Earlier lines" : "Later lines";
    else {
      const strong = document.createElement("strong");
      strong.textContent = shown(count);
      text.append(strong, ` ${isEarlier ? "earlier" : "later"} line${count === 1 ? "" : "s"}`);
    }
    const [place, way] = isEarlier ? [`before=${line}`, "from=1"] : [`from=${line + 1}`, "from=end"];
    row.append(text, link(place, isEarlier ? "500 before" : "500 after", "more"));
    row.append(link(way, isEarlier ? "from the start" : "to the end", "jump", isEarlier ? "start" : "end"));
    return row;
  }

  function link(place, text, kind, value = "") {
    const found = document.createElement("a");
    const address = new URL(location.href);
    for (const name of ["from", "before", "here"]) address.searchParams.delete(name);
    found.href = `${address.search ? `${address.search}&` : "?"}${place}#log`;
    found.textContent = text;
    found.dataset[kind] = value;
    return found;
  }

  box.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-more]");
    if (!way || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    way.closest("[data-cut]").removeAttribute("data-failed");
    extend(way.closest("[data-cut]").dataset.cut);
  });

  // --- jumps ----------------------------------------------------------------------------------------------------

  function replace(content) {
    box.replaceChildren(content);
    changed();
  }

  // Brings a line into the middle, fetching its surroundings if need be. The row, or null where there is no such line.
  // isStill: the page does not move, only the log.
  async function show(line, isStill = false) {
    tell("");
    let row = document.getElementById(`L${line}`);
    if (!row) {
      try {
        const content = await read({ from: Math.max(1, line - BEFORE) });
        if (!content.getElementById(`L${line}`)) {
          if (line > lineCount) tell(`There is no line ${shown(line)}: the log has ${shown(lineCount)}.`);
          else tell(`Line ${shown(line)} is not in this view.`);
          return null;
        }
        replace(content);
      } catch {
        tell("No answer: the line could not be read. Try again.");
        return null;
      }
      row = document.getElementById(`L${line}`);
    }
    log.release();
    log.place = line;
    row.dispatchEvent(new CustomEvent("log:reveal", { bubbles: true }));
    center(row, isStill);
    return row;
  }

  function center(row, isStill) {
    const place = row.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    box.scrollTop += place.top - frame.top - Math.max(0, (box.clientHeight - place.height) / 2);
    if (!isStill) bring(row);
    look();
    more();
  }

  function bring(row) {
    const bar = section.querySelector(".ltools").getBoundingClientRect().bottom;
    const seen = row.getBoundingClientRect();
    if (seen.top < bar || seen.bottom > innerHeight) row.scrollIntoView({ block: "center" });
  }

  async function toStart() {
    tell("");
    log.release();
    if (cut("earlier")) replace(await read({ from: 1 }));
    box.scrollTop = 0;
    look();
    more();
  }

  async function toEnd() {
    tell("");
    if (cut("later")) replace(await read({ from: "end" }));
    box.scrollTop = box.scrollHeight;
    look();
  }

  // Where the reader is, for what is next from here: a line that was gone to and is still seen, else before the first
  // that is seen.
  function current(isBack = false) {
    const frame = box.getBoundingClientRect();
    const isSeen = (row) => {
      const place = row.getBoundingClientRect();
      return place.bottom > frame.top && place.top < frame.bottom;
    };
    const chosen = log.place && document.getElementById(`L${log.place}`);
    if (chosen && isSeen(chosen)) return log.place;
    let row = firstSeen();
    while (row && !isLine(row)) row = row.nextElementSibling;
    return row ? number(row) - (isBack ? 0 : 1) : 0;
  }

  const log = {
    box,
    section,
    number,
    rows,
    end,
    cut,
    read,
    note,
    keep,
    stay,
    letGo,
    makeCut,
    replace,
    show,
    toStart,
    toEnd,
    current,
    isAtEnd,
    isHeld,
    mostRows: MOST_ROWS,
    tell,
    place: 0, // the line that was gone to last
    isFollowing: false,
    release() {}, // the follower's: the reader went elsewhere
    get lineCount() {
      return lineCount;
    },
  };
  box.log = log;
  look();
}

logWindow();
