// Folds of the markers that CI systems print, for reading.js. data-fold on a row says what its line does to folds
// (runs_dashboard/text/markers.py). A group with an error inside is open, and so is what has not ended.
function makeGroups(reading) {
  const { box, infos, owners, dirty, set, textOf, number, makeButton } = reading;
  const isLive = () => Boolean(document.getElementById("tail") && !document.querySelector("#fresh[data-ended]"));
  const isFollowing = () => box.log?.isFollowing ?? (isLive() && document.getElementById("follow").checked);

  // A row with a marker: it ends a group, begins one, or opens the one around it.
  function read(row, info, place) {
    const words = row.getAttribute("data-fold").split(" ");
    if (words[0] === "end" && place.group?.kind === "group") {
      if (words.length === 1) info.group = place.group;
      leave(place);
    }
    if (words[0] === "above" && place.group && !place.group.isTouched) set(place.group, true);
    const kind = words.find((word) => word === "group" || word === "section");
    if (!kind) {
      info.group ??= place.group;
      return;
    }
    while (place.group && (kind === "section" || (place.group.kind === "group" && !words.includes("nested")))) leave(place);
    info.group = place.group;
    const group = (info.own ??= { isTouched: false, isOpen: words.includes("open") });
    Object.assign(group, { kind, parent: place.group, row, line: number(row) });
    reset(group);
    if (!group.button) {
      const text = textOf(row);
      for (const link of text.querySelectorAll("a")) link.replaceWith(...link.childNodes);
      const button = makeButton(group);
      button.append(...text.childNodes);
      text.append(button);
      row.classList.add("fold-head");
      if (words.includes("dim")) row.classList.add("dim");
    }
    owners.set(row, group);
    dirty.add(group);
    place.group = group;
  }

  const reset = (group) => Object.assign(group, { lines: 0, errors: 0, warnings: 0 });

  // The innermost group has ended: one that was open for being the last closes, unless the reader is at it.
  function leave(place) {
    const { group } = place;
    if (group.isLast && !group.isTouched && !group.errors && isFollowing()) set(group, false);
    group.isLast = false;
    place.group = group.parent;
  }

  // Where the next row of a log stands, behind this one.
  function after(row, info) {
    if (info.own) return info.own;
    return row.getAttribute("data-fold") === "end" && info.group ? info.group.parent : info.group;
  }

  // Counts a row that came (1) or went (-1) in the groups around it.
  function count(row, info, change = 1) {
    const isBad = row.classList.contains("e") || row.classList.contains("c");
    const isWarning = row.classList.contains("w");
    for (let { group } = info; group; group = group.parent) {
      group.lines += change;
      if (isWarning) group.warnings += change;
      if (isBad) group.errors += change;
      if (isBad && !group.isTouched) set(group, true);
      dirty.add(group);
    }
  }

  // What has not ended is open: while the run lives, and where no other section is.
  function openLast(place) {
    if (place.group && box.querySelector(":scope > [data-cut=later]")) return; // its end may be there
    for (let { group } = place; group; group = group.parent) {
      if (group.isOpen || group.isTouched) continue;
      const others = () => [...box.querySelectorAll(":scope > .fold-head > span > .fold")].map((button) => owners.get(button));
      if (group.kind === "section" && !isLive() && others().some((other) => other.isOpen)) continue;
      group.isLast = true;
      set(group, true);
    }
  }

  return { read, reset, after, count, openLast };
}

const groupsBox = document.getElementById("lines");
if (groupsBox) groupsBox.makeGroups = makeGroups;
