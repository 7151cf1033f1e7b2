// How lines are read together: folds of markers, repeats, what a terminal overwrote, the heads of steps. The server says
// of each row what it is alone (data-fold, data-move, data-step); this sees the rows that come and go, and only those.
// Rows stay where they are and keep their numbers: they are hidden, and a button says how many and shows them.
//
// A fold is an object: `isOpen`, `isTouched` (the reader has decided), `row` that it hangs on, `button`. Each row's `info`
// says which folds hide it: `group` (and its parents), `repeat`, `over`. Repeats and the terminal are in files beside
// this one; where the reader's place is kept, log-window.js.
function read(box) {
  const infos = new WeakMap(); // row, of the log or of ours, to its info
  const owners = new WeakMap(); // row or button that a fold hangs on, to the fold
  const dirty = new Set(); // folds whose button says something else now
  const touched = new Set(); // rows that may be hidden or shown by now
  let place = begin(); // what the next row comes after
  let top = null; // the first row
  let kept = null; // the last row: never hidden in a repeat
  let stamp = 0; // of the pass over all rows

  function begin() {
    return { last: null, step: null, group: null, key: null, same: [], repeat: null, cells: [], at: 0, redraw: null };
  }

  // The first row of the log from here on.
  function line(row, way, isWanted = isLine) {
    while (row && !isWanted(row)) row = row[way];
    return row;
  }

  const isLine = (row) => row.id.charCodeAt(0) === 76; // L
  const lineOf = (part) => part.closest("#lines > div");
  const textOf = (row) => row.children[3];
  const number = (row) => Number(row.id.slice(1));
  const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

  // --- what a row is hidden by ----------------------------------------------------------------------------------------

  function show(row) {
    const info = infos.get(row);
    if (!info) return;
    let isHidden = false;
    for (let group = info.group; group && !isHidden; group = group.parent) isHidden = !group.isOpen;
    if (info.repeat && !info.repeat.isOpen && row !== info.repeat.first && row !== kept) isHidden = true;
    if (info.over && !info.over.isOpen) isHidden = true;
    if (row.hidden === isHidden) return;
    row.hidden = isHidden;
    const below = row.nextElementSibling;
    if (below?.className === "tree") below.hidden = isHidden;
  }

  function isIn(info, group) {
    for (let found = info?.group; found; found = found.parent) if (found === group) return true;
    return false;
  }

  // The rows of a fold; rows of others among them (a tree below its line) do not end it.
  function* members(fold) {
    if (fold.covered) {
      for (const part of fold.covered) {
        yield part;
        if (!isLine(part)) yield lineOf(part);
      }
      return;
    }
    let row = fold.first ?? fold.row.nextElementSibling;
    for (; row; row = row.nextElementSibling) {
      const info = infos.get(row);
      if (fold.first ? info?.repeat === fold : isIn(info, fold)) yield row;
      else if (row !== fold.row && row.className !== "tree") return;
    }
  }

  function change(fold, row) {
    dirty.add(fold);
    touched.add(row);
  }

  function set(fold, isOpen) {
    if (fold.isOpen === isOpen) return;
    fold.isOpen = isOpen;
    dirty.add(fold);
    for (const row of members(fold)) touched.add(row);
  }

  function decide(fold, isOpen) {
    fold.isTouched = true;
    set(fold, isOpen);
  }

  function open(row) {
    const info = infos.get(row);
    if (!info) return;
    for (let { group } = info; group; group = group.parent) decide(group, true);
    if (info.repeat && row !== info.repeat.first) decide(info.repeat, true);
    if (info.over) decide(info.over, true);
  }

  // --- rows of ours, and buttons ----------------------------------------------------------------------------------------

  function makeButton(fold) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fold";
    owners.set(button, fold);
    fold.button = button;
    return button;
  }

  function makeRow(fold, kind) {
    const row = document.createElement("div");
    row.className = `fold-row ${kind}`;
    row.append(makeButton(fold));
    fold.row = row;
    owners.set(row, fold);
  }

  // Puts a fold's own row before or after one of the log.
  function put(fold, where, row) {
    const neighbour = where === "after" ? row.nextElementSibling : row.previousElementSibling;
    if (neighbour !== fold.row) row[where](fold.row);
    infos.set(fold.row, { group: infos.get(row).group, repeat: null, over: null });
    fold.stamp = stamp;
    change(fold, fold.row);
  }

  function label(fold) {
    const { button } = fold;
    if (button.getAttribute("aria-expanded") !== String(fold.isOpen)) button.setAttribute("aria-expanded", String(fold.isOpen));
    if (fold.covered) button.textContent = `${plural(fold.covered.size, "line")} overwritten`;
    else if (fold.first) button.textContent = `×${fold.count.toLocaleString("en")} more like this`;
    else {
      const said = [plural(fold.lines, "line")];
      if (fold.errors) said.push(plural(fold.errors, "error"));
      if (fold.warnings) said.push(plural(fold.warnings, "warning"));
      button.dataset.note = said.join(" · ");
      button.toggleAttribute("data-bad", fold.errors > 0);
    }
  }

  const reading = { box, infos, owners, dirty, members, change, set, put, makeRow, makeButton, number, lineOf, textOf };
  const groups = box.makeGroups(reading);
  const repeats = box.makeRepeats(reading);
  const terminal = box.makeTerminal({ ...reading, dissolve: repeats.dissolve });

  // --- steps ------------------------------------------------------------------------------------------------------------

  const stepOf = (row) => `${row.getAttribute("data-attempt") ?? "1"} ${row.getAttribute("data-step")}`;

  function nameStep(row) {
    const [attempt, step] = [row.getAttribute("data-attempt"), row.getAttribute("data-step")];
    if (!step) return;
    while (row.previousElementSibling?.matches(".fold-row.fold-head")) row = row.previousElementSibling;
    const above = row.previousElementSibling;
    const isThere = above?.className === "step-head";
    const head = isThere ? above : document.createElement("div");
    const name = `Step ${step}${attempt ? ` · attempt ${attempt}` : ""}`;
    if (head.textContent === name) return;
    head.className = "step-head";
    head.dataset.head = step;
    head.textContent = name;
    if (!isThere) row.before(head);
  }

  // A step is named where it changes; where two parts of a log meet it may be named twice.
  function readStep(row) {
    if (!row.hasAttribute("data-step")) return;
    const step = stepOf(row);
    if (step === place.step) {
      if (row.previousElementSibling?.className === "step-head") row.previousElementSibling.remove();
      return;
    }
    if (place.step !== null) place = { ...begin(), last: place.last };
    place.step = step;
    nameStep(row);
  }

  // --- rows that come and go --------------------------------------------------------------------------------------------

  function readRow(row) {
    const info = infos.get(row) ?? {};
    Object.assign(info, { group: null, repeat: null, over: null });
    infos.set(row, info);
    const before = place.last;
    let above = row.previousElementSibling;
    while (above && above !== before && !isLine(above) && !above.classList.contains("cut-row")) above = above.previousElementSibling;
    if (before && above !== before) place = begin(); // between them lines are left out
    else if (before && number(row) !== number(before) + 1) Object.assign(place, { cells: [], at: 0, redraw: null }); // by a filter
    readStep(row);
    place.last = row;
    const isMarker = row.hasAttribute("data-fold");
    if (isMarker) groups.read(row, info, place);
    else info.group = place.group;
    if (info.group) groups.count(row, info);
    const isDrawn = !row.classList.contains("sys") && terminal.draw(row, place);
    if (isDrawn || isMarker) place.key = null;
    else repeats.read(row, info, place);
    if (row.hidden || info.group || info.repeat || info.over) touched.add(row);
  }

  function finish() {
    groups.openLast(place);
    if (place.last !== kept) {
      if (kept) touched.add(kept);
      kept = place.last;
      if (kept) touched.add(kept);
    }
    const first = line(box.firstElementChild, "nextElementSibling");
    if (first && first !== top) nameStep(first);
    top = first;
    for (const row of touched) show(row);
    for (const fold of dirty) if (fold.button) label(fold);
    touched.clear();
    dirty.clear();
    observer.takeRecords(); // of what was done here
  }

  function readAll() {
    stamp += 1;
    place = begin();
    for (const part of box.querySelectorAll(".over")) {
      part.classList.remove("over");
      part.hidden = false;
    }
    for (const row of [...box.children]) {
      if (isLine(row)) readRow(row);
      else if (row.classList.contains("fold-head")) {
        // What stands for a group's row that went is right as long as nothing comes before it.
        if (place.last) row.remove();
        else place.group = groups.reset(owners.get(row));
      }
    }
    for (const row of box.querySelectorAll(":scope > .fold-row:not(.fold-head)")) if (owners.get(row).stamp !== stamp) row.remove();
    finish();
  }

  // A fold whose row went, while rows that it hides are still there, hangs on the first of these.
  function hangAgain(fold) {
    if (fold.covered) {
      for (const part of fold.covered) if (!box.contains(part)) fold.covered.delete(part);
      const [part] = fold.covered;
      if (part) put(fold, "before", (fold.top = lineOf(part)));
      return;
    }
    const first = line(box.firstElementChild, "nextElementSibling");
    if (!first) return;
    const info = infos.get(first);
    if (fold.first) {
      if (info.repeat !== fold) {
        fold.row.remove();
        return;
      }
      fold.first = first;
      owners.set(first, fold);
      put(fold, "after", first);
      fold.count = [...members(fold)].length - 1;
      touched.add(first);
      if (!fold.count) repeats.dissolve(fold);
    } else if (isIn(info, fold)) {
      const row = document.createElement("div");
      row.className = "fold-row fold-head";
      row.append(document.createElement("span"));
      row.firstChild.append(fold.button);
      first.before(row);
      infos.set(row, { group: fold.parent, repeat: null, over: null });
      owners.set(row, fold);
      fold.row = row;
      touched.add(row);
    }
  }

  // Rows came before those that were there: these are read again as far as it makes a difference to them.
  function readBefore(rows, first) {
    const after = place;
    place = begin();
    for (const head of box.querySelectorAll(":scope > .fold-row.fold-head")) {
      if (owners.get(head).line < number(rows[0])) {
        rows[0].before(head);
        place.group = groups.reset(owners.get(head));
      } else head.remove();
    }
    rows.forEach(readRow);
    const stale = new Set();
    let row = first;
    for (; row; row = line(row.nextElementSibling, "nextElementSibling")) {
      const info = infos.get(row);
      const wasFree = !info.group && !info.repeat;
      if (info.repeat) stale.add(info.repeat);
      readRow(row);
      if (wasFree && !info.group && !info.repeat && !place.group && place.same.length === 1) break;
    }
    if (row) place = after;
    for (const fold of stale) if (infos.get(fold.first).repeat !== fold) fold.row.remove();
  }

  // Rows at the end went: what comes next comes after this one.
  function goBack(last, removed) {
    for (const row of removed) {
      const info = infos.get(row);
      if (!info || number(row) < number(last)) continue;
      groups.count(row, info, -1);
      if (!info.repeat) continue;
      info.repeat.count -= 1;
      dirty.add(info.repeat);
      if (!info.repeat.count) repeats.dissolve(info.repeat);
    }
    const info = infos.get(last);
    place = Object.assign(begin(), { last, step: last.hasAttribute("data-step") ? stepOf(last) : null });
    const before = line(last.previousElementSibling, "previousElementSibling");
    const isSame = before && !info.repeat && info.key && infos.get(before)?.key === info.key && stepOf(before) === stepOf(last);
    Object.assign(place, { group: groups.after(last, info), key: info.key ?? null, repeat: info.repeat });
    place.same = isSame ? [before, last] : [last];
  }

  function notice(records) {
    const [added, removed, lost] = [new Set(), [], new Set()];
    for (const record of records) {
      for (const row of record.addedNodes) if (row.nodeType === 1 && isLine(row) && row.parentElement === box) added.add(row);
      for (const row of record.removedNodes) {
        if (row.parentElement === box || row.nodeType !== 1) continue;
        if (isLine(row)) removed.push(row);
        if (owners.has(row)) lost.add(owners.get(row));
      }
    }
    const isKnown = (row) => isLine(row) && infos.has(row) && !added.has(row);
    const first = line(box.firstElementChild, "nextElementSibling", isKnown);
    const last = place.last?.parentElement === box ? place.last : line(box.lastElementChild, "previousElementSibling", isKnown);
    if (!first || !last) {
      readAll();
      return;
    }
    if (last !== place.last) goBack(last, removed);
    const before = [...added].filter((row) => number(row) < number(first));
    const after = [...added].filter((row) => number(row) > number(last));
    const isBetween = before.length + after.length < added.size;
    if (isBetween || (before.length && box.querySelector(":scope > [data-move]"))) {
      readAll();
      return;
    }
    if (before.length) readBefore(before, first);
    after.forEach(readRow);
    // The outer group first: the inner one hangs behind it.
    for (const fold of [...lost].sort((one, other) => (isIn({ group: one.parent }, other) ? 1 : -1))) hangAgain(fold);
    finish();
  }

  // --- the reader -------------------------------------------------------------------------------------------------------

  box.addEventListener("click", (event) => {
    const fold = owners.get(event.target.closest("button.fold"));
    if (!fold) return;
    decide(fold, !fold.isOpen);
    finish();
  });

  function reveal(row) {
    notice(observer.takeRecords());
    open(row);
    finish();
  }
  // Whoever leads to a row says so first: it must be there to be scrolled to.
  document.addEventListener("log:reveal", (event) => reveal(event.target));
  const go = () => {
    const row = /^#L\d+/.test(location.hash) && document.getElementById(location.hash.match(/L\d+/)[0]);
    if (row) reveal(row);
  };
  addEventListener("hashchange", go);

  const observer = new MutationObserver(notice);
  observer.observe(box, { childList: true });
  box.dataset.reading = "";
  readAll();
  go();
}

const box = document.getElementById("lines");
if (box) read(box);
