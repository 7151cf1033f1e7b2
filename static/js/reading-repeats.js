// Neighbours that say the same, for reading.js: they differ in times, ids and numbers alone. The first is seen, a button
// shows the others. Never across levels, streams or steps.
const LONGEST_SAME = 2000; // characters: longer lines are never taken for repeats
const SAME = 3; // neighbours that are a repeat

// What varies between lines that say the same: first times and ids, then numbers.
const TIMES =
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b\d{1,4}[-/.]\d\d?[-/.]\d{1,4}\b|\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}\b|\[\d+\]|\d{10,}/gi;
const NUMBERS = /\d+(?:\.\d+)?/g;

function makeRepeats(reading) {
  const { infos, owners, members, put, change, textOf, makeRow } = reading;

  function keyOf(row) {
    const text = textOf(row).textContent;
    if (text.length > LONGEST_SAME || !text.trim()) return null;
    return `${row.className}\n${text.replace(TIMES, "#").replace(NUMBERS, "#")}`;
  }

  // Lines that count (line 1, line 2, line 3) are no repeats: each says something new.
  function isCounting(rows) {
    const numbers = (row) => (textOf(row).textContent.replace(TIMES, "#").match(NUMBERS) ?? []).map(Number);
    const [first, second, third] = rows.map(numbers);
    return first.some((value, at) => second[at] !== value && Math.abs(third[at] - second[at] - (second[at] - value)) < 1e-9);
  }

  function read(row, info, place) {
    info.key ??= keyOf(row);
    if (info.key === null || info.key !== place.key) {
      place.key = info.key;
      place.same = [row];
      place.repeat = null;
      return;
    }
    if (place.repeat) {
      add(place.repeat, row, info);
      return;
    }
    place.same.push(row);
    if (place.same.length > SAME) place.same.shift();
    if (place.same.length < SAME || isCounting(place.same)) return;
    const [first, ...rest] = place.same;
    const firstInfo = infos.get(first);
    const repeat = (firstInfo.repeats ??= { isTouched: false, isOpen: false });
    Object.assign(repeat, { first, count: 0 });
    if (!repeat.row) makeRow(repeat, "rep");
    repeat.row.className = `fold-row rep ${first.className}`;
    firstInfo.repeat = place.repeat = repeat;
    owners.set(first, repeat);
    for (const same of rest) add(repeat, same, infos.get(same));
    put(repeat, "after", first);
  }

  function add(repeat, row, info) {
    if (info.repeats?.isTouched) repeat.isOpen = info.repeats.isOpen; // the reader opened what is a part of this
    info.repeat = repeat;
    repeat.count += 1;
    change(repeat, row);
  }

  function dissolve(repeat) {
    for (const row of [...members(repeat)]) {
      infos.get(row).repeat = null;
      change(repeat, row);
    }
    repeat.row.remove();
  }

  return { read, dissolve };
}

const shown = document.getElementById("lines");
if (shown) shown.makeRepeats = makeRepeats;
