// Find in the whole log: the server looks and counts, this leads from hit to hit and marks what is on the page.
const TYPED = 300; // milliseconds after the last key before the server is asked
const GREW = 1500; // milliseconds after new lines before they are counted
const MOST_HITS = 500; // on the ruler
const END = 1e15;

// As the server folds letters, full case folding: ß is ss.
const fold = (letter) => letter.toUpperCase().toLowerCase();

// A text folded, and for each place in it the place in the text that it comes from; null where they are the same.
function foldAll(text, isCase) {
  if (isCase) return [text, null];
  if (/^[\x00-\x7f]*$/.test(text)) return [text.toLowerCase(), null];
  let folded = "";
  const from = [];
  let at = 0;
  for (const letter of text) {
    const piece = fold(letter);
    for (let place = 0; place < piece.length; place++) from.push(at);
    folded += piece;
    at += letter.length;
  }
  from.push(at);
  return [folded, from];
}

const isWord = (letter) => letter !== undefined && /[\p{L}\p{N}_]/u.test(letter);

function places(text, { needle, exclude, isCase, isWhole }) {
  const [folded, from] = foldAll(text, isCase);
  const found = [];
  if (!needle || (exclude && folded.includes(exclude))) return found;
  for (let at = folded.indexOf(needle); at >= 0; at = folded.indexOf(needle, at + 1)) {
    const end = at + needle.length;
    if (isWhole && (isWord(folded[at - 1]) || isWord(folded[end]))) continue;
    found.push(from ? [from[at], Math.max(from[end], from[end - 1] + 1)] : [at, end]);
    at = end - 1;
  }
  return found;
}

function ranges(row, wanted) {
  const span = row.querySelector(":scope > span");
  if (!span) return [];
  const found = places(span.textContent, wanted);
  if (!found.length) return [];
  const walker = document.createTreeWalker(span, NodeFilter.SHOW_TEXT);
  const nodes = [];
  for (let node = walker.nextNode(), at = 0; node; node = walker.nextNode()) {
    nodes.push([at, node]);
    at += node.length;
  }
  const place = (at, isEnd) => {
    const [start, node] = nodes.findLast(([start]) => (isEnd ? start < at : start <= at));
    return [node, at - start];
  };
  return found.map(([begin, end]) => {
    const [startContainer, startOffset] = place(begin, false);
    const [endContainer, endOffset] = place(end, true);
    return new StaticRange({ startContainer, startOffset, endContainer, endOffset });
  });
}

// Marks of the browser's own: no element is made for them, so that neither a selection nor the lines change.
function marker(box) {
  const all = window.Highlight ? new Highlight() : null;
  const here = window.Highlight ? new Highlight() : null;
  let wanted = { needle: "" };
  let marked = new Map(); // row to its ranges
  if (all) {
    here.priority = 1;
    CSS.highlights.set("find", all);
    CSS.highlights.set("find-at", here);
  }
  const add = (row) => {
    if (!all || !wanted.needle || !row.id?.startsWith("L") || marked.has(row)) return;
    const found = ranges(row, wanted);
    if (!found.length) return;
    marked.set(row, found);
    for (const range of found) all.add(range);
  };
  const remove = (row) => {
    for (const range of marked.get(row) ?? []) all.delete(range);
    marked.delete(row);
  };
  return {
    add,
    remove,
    lines: () => [...marked.keys()].map((row) => Number(row.id.slice(1))),
    show(next) {
      wanted = next;
      all?.clear();
      here?.clear();
      marked = new Map();
      for (const row of box.children) add(row);
    },
    point(row) {
      here?.clear();
      for (const range of marked.get(row) ?? []) here.add(range);
    },
  };
}

function find() {
  const form = document.getElementById("find");
  const box = document.getElementById("lines");
  const log = box?.log;
  if (!form || !log) return;
  const { text: field, exclude, word } = form.elements;
  const matchCase = form.elements.case;
  const output = form.querySelector("output");
  const marks = marker(box);
  const number = (count) => count.toLocaleString("en");
  const fresh = () => ({ key: "", total: 0, searched: 0, lines: 0, isComplete: false, hit: 0, rank: 0 });
  const storeKey = `find ${box.closest("[data-run]").dataset.run}`;
  let state = fresh();
  let asking = new AbortController();
  let going = null; // the search in which a way to a hit is under way
  let typing = 0;
  let growing = 0;
  let telling = 0;

  function question() {
    const asked = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value && name !== "at") asked.set(name, value);
    return asked;
  }

  async function ask(place) {
    const address = new URL(form.getAttribute("action"), location.href);
    address.search = question();
    for (const [name, value] of Object.entries(place)) address.searchParams.set(name, String(value));
    const answer = await fetch(address, { headers: { Accept: "application/json" }, signal: asking.signal });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    return answer.json();
  }

  const share = (line) => `${state.lines ? Math.min(99, Math.floor((100 * line) / state.lines)) : 0} %`;

  function show() {
    if (!state.key) output.textContent = "";
    else if (!state.isComplete) output.textContent = `${state.rank ? `${number(state.rank)}, ` : ""}counting… ${share(state.searched)}`;
    else if (!state.total) output.textContent = "no hits";
    else if (state.rank) output.textContent = `${number(state.rank)} of ${number(state.total)}`;
    else output.textContent = `${number(state.total)} hit${state.total === 1 ? "" : "s"}`;
    keep();
  }

  const keep = () => sessionStorage.setItem(storeKey, JSON.stringify(state));

  function failed(error) {
    if (error.name !== "AbortError") output.textContent = "no answer";
  }

  async function count() {
    const mine = state;
    while (!mine.isComplete) {
      const page = await ask({ count: 1, after: mine.searched });
      if (mine !== state) return;
      state.total += page.count;
      state.searched = page.searched_to;
      state.lines = page.line_count;
      state.isComplete = page.is_complete;
      show();
    }
  }

  async function rank(line) {
    let sum = 0;
    for (let after = 0; ; ) {
      const page = await ask({ count: 1, after, before: line + 1 });
      sum += page.count;
      after = page.searched_to;
      if (page.is_complete) return sum;
    }
  }

  async function look(place) {
    for (;;) {
      const page = await ask(place);
      if (page.line || page.is_complete) return page.line;
      if ("before" in place) place = { ...place, before: page.searched_to };
      else place = { ...place, after: page.searched_to };
      output.textContent = `looking… line ${number(page.searched_to)}`;
    }
  }

  async function go(isBack, from = null) {
    refresh();
    if (going === state || !state.key) return;
    const mine = (going = state);
    try {
      const start = from ?? (state.hit || log.current(isBack));
      const known = start && start === state.hit ? state.rank : 0;
      let line = await look(isBack ? { before: start || END } : { after: start });
      const isAround = !line && start !== 0;
      if (isAround) line = await look(isBack ? { before: END } : { after: 0 });
      if (mine !== state) return;
      if (!line) return show();
      state.hit = line;
      if (!isBack && (isAround || start === 0)) state.rank = 1;
      else state.rank = known && !isAround ? known + (isBack ? -1 : 1) : 0;
      if (!(await log.show(line)) || mine !== state) return;
      point(true);
      state.rank ||= await rank(line);
      if (mine === state) show();
    } catch (error) {
      failed(error);
    } finally {
      if (going === mine) going = null;
    }
  }

  // Marks the hit, if it is on the page.
  function point(isMoving) {
    const row = document.getElementById(`L${state.hit}`);
    box.querySelector(":scope > .at")?.classList.remove("at");
    keep();
    if (!row) return;
    row.classList.add("at");
    box.dataset.hit = "";
    marks.point(row);
    tellHits();
    form.elements.at.value = String(state.hit);
    if (!isMoving) return;
    const address = write();
    address.hash = `L${state.hit}`;
    history.replaceState(history.state, "", address);
  }

  function write() {
    const address = new URL(location.href);
    const asked = question();
    for (const [name, value] of [["find", asked.get("text")], ["case", asked.get("case")], ["word", asked.get("word")], ["exclude", asked.get("exclude")], ["hit", state.hit || ""]]) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    address.searchParams.delete("looked");
    return address;
  }

  // Takes up what is in the box, where it is another text than before.
  function refresh(before = fresh()) {
    clearTimeout(typing);
    const key = field.value ? String(question()) : "";
    if (key === state.key) return;
    asking.abort();
    asking = new AbortController();
    state = { ...(before.key === key ? before : fresh()), key, hit: before.hit, isComplete: false };
    delete box.dataset.hit;
    form.elements.at.value = String(state.hit);
    box.querySelector(":scope > .at")?.classList.remove("at");
    const isCase = matchCase.checked;
    form.querySelector("summary").toggleAttribute("data-on", word.checked || exclude.value !== "");
    marks.show({ needle: foldAll(field.value, isCase)[0], exclude: foldAll(exclude.value, isCase)[0], isCase, isWhole: word.checked });
    history.replaceState(history.state, "", write());
    show();
    tellHits();
    if (key) count().catch(failed);
  }

  function clear() {
    field.value = "";
    exclude.value = "";
    word.checked = false;
    refresh();
    box.focus({ preventScroll: true });
  }

  // --- the reader -----------------------------------------------------------------------------------------------

  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => refresh(), TYPED);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(event.submitter?.name === "back");
  });
  field.addEventListener("focus", () => field.select());
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    go(event.shiftKey);
  });
  // Before others hear of it: Escape in an open menu or dialog is theirs.
  const isBusy = () => document.querySelector("details.menu[open], dialog[open]");
  document.addEventListener(
    "keydown",
    (event) => {
      if (isBusy() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const isInside = form.contains(event.target);
      if (event.key === "Escape" && (isInside || field.value)) {
        event.preventDefault();
        clear();
      } else if (!event.target.closest?.("input, select, textarea, [contenteditable]") && field.value) {
        if (event.key === "n") go(false);
        else if (event.key === "N") go(true);
        else return;
        event.preventDefault();
      }
    },
    true,
  );

  // --- the lines ------------------------------------------------------------------------------------------------

  new MutationObserver((changes) => {
    if (!state.key) return;
    for (const change of changes) {
      for (const row of change.removedNodes) marks.remove(row);
      for (const row of change.addedNodes) if (row.nodeType === 1) marks.add(row);
    }
  }).observe(box, { childList: true });
  box.addEventListener("log:changed", () => {
    if (state.hit && !box.querySelector(":scope > .at")) point(false);
    tellHits();
  });
  box.addEventListener("log:grew", () => {
    growing ||= setTimeout(() => {
      growing = 0;
      if (!state.isComplete || !state.key) return;
      state.isComplete = false;
      count().catch(failed);
    }, GREW);
  });

  // The hits that are known, for the ruler: those on the page and the one that was gone to.
  function tellHits() {
    telling ||= setTimeout(() => {
      telling = 0;
      const detail = state.key ? [...new Set([...marks.lines(), ...(state.hit ? [state.hit] : [])])].slice(0, MOST_HITS) : [];
      box.dispatchEvent(new CustomEvent("log:hits", { detail }));
    }, TYPED);
  }

  // --- the address ----------------------------------------------------------------------------------------------

  function open() {
    if (!field.value) return;
    const asked = new URLSearchParams(location.search).get("hit");
    const hit = Number(asked) || 0;
    const kept = JSON.parse(sessionStorage.getItem(storeKey) ?? "null") ?? fresh();
    refresh({ ...kept, hit, rank: kept.hit === hit ? kept.rank : 0 });
    if (asked === null) {
      go(false, 0);
      return;
    }
    if (!hit) return;
    point(false);
    if (state.rank) return;
    const mine = state;
    rank(hit)
      .then((place) => {
        if (mine !== state || state.hit !== hit) return;
        state.rank = place;
        show();
      })
      .catch(failed);
  }
  open();
}

find();
