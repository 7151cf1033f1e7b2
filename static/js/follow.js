// The live log. htmx holds the stream and resumes it; this puts the lines in, keeps the page light and the reader still.
const MOST_ROWS = 5000; // in the page
const KEPT_ROWS = 4500; // after older ones were let go
const DRAW_EVERY = 100; // milliseconds
const POLL_EVERY = 2000; // milliseconds, where no stream comes through
const FAILURES = 3; // of the stream, before asking instead
const AT_END = 24; // pixels from the end that still count as there

function follow() {
  const tail = document.getElementById("tail");
  const box = document.getElementById("lines");
  if (!tail || !box) return;
  const toggle = document.getElementById("follow");
  const more = document.getElementById("more");
  const fresh = document.getElementById("fresh");
  let waiting = []; // HTML that came and is not drawn yet
  let timer = 0;
  let unseen = 0; // lines drawn while the reader was away from the end
  let unshown = 0; // lines that came while the page was full and the reader away
  let failures = 0;
  let poller = 0;
  let isOver = false;

  const number = (row) => Number(row.id.slice(1));
  const rows = () => box.querySelectorAll(":scope > [id^=L]");
  const lastRow = () => box.querySelector(":scope > [id^=L]:last-of-type") ?? [...rows()].at(-1);
  const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < AT_END;
  const toEnd = () => (box.scrollTop = box.scrollHeight);
  const say = (text) => (fresh.textContent = text);
  const clock = () => new Date().toLocaleTimeString("en-GB", { timeZone: box.dataset.zone || undefined });

  document.getElementById("follow-box").hidden = false;
  let shown = Number(document.getElementById("line-count").textContent.replaceAll(",", ""));
  if (location.hash.startsWith("#L")) toggle.checked = false;
  else toEnd();

  function draw() {
    timer = 0;
    const template = document.createElement("template");
    template.innerHTML = waiting.join("");
    waiting = [];
    const known = lastRow();
    let last = known ? number(known) : 0;
    let step = known?.dataset.step;
    const fragment = document.createDocumentFragment();
    let count = 0;
    for (const row of [...template.content.children]) {
      if (!row.id || number(row) <= last) continue; // came twice
      last = number(row);
      if (row.dataset.step && row.dataset.step !== step) fragment.append(head(row.dataset.step));
      step = row.dataset.step;
      fragment.append(row);
      count += 1;
    }
    if (!count) return;
    const isFollowing = toggle.checked;
    if (!isFollowing && rows().length + count > MOST_ROWS) {
      unshown += count;
    } else {
      box.querySelector(":scope > .blank")?.remove();
      box.append(fragment);
      if (isFollowing) {
        letGo();
        toEnd();
      } else {
        unseen += count;
      }
    }
    shown = Math.max(shown, last);
    document.getElementById("line-count").textContent = shown.toLocaleString("en");
    offer();
    say(`${poller ? "Asking every 2 s" : "Streaming"}, ${clock()}`);
  }

  function head(step) {
    const row = document.createElement("div");
    row.className = "step-head";
    row.dataset.head = step;
    row.textContent = step;
    return row;
  }

  // Older rows make place for newer ones; what goes is said in a row, with the way to it.
  function letGo() {
    const all = rows();
    if (all.length <= MOST_ROWS) return;
    const first = all[all.length - KEPT_ROWS];
    while (box.firstElementChild !== first) box.firstElementChild.remove();
    const cut = document.createElement("div");
    cut.className = "cut-row";
    cut.dataset.cut = "earlier";
    const text = document.createElement("span");
    const count = document.createElement("strong");
    count.textContent = (number(first) - 1).toLocaleString("en");
    text.append(count, " earlier lines");
    cut.append(text, link(`before=${number(first)}`, "500 before"), link("from=1", "from the start"));
    box.prepend(cut);
  }

  function link(place, text) {
    const found = document.createElement("a");
    const address = new URL(location.href);
    for (const name of ["from", "before"]) address.searchParams.delete(name);
    found.href = `${address.search ? `${address.search}&` : "?"}${place}#log`;
    found.textContent = text;
    return found;
  }

  function offer() {
    const count = unseen + unshown;
    more.hidden = toggle.checked || !count;
    more.querySelector("span").textContent = `${count.toLocaleString("en")} new line${count === 1 ? "" : "s"}`;
  }

  function resume() {
    if (unshown) {
      location.hash = "";
      location.reload(); // the page was full: its end is read anew
      return;
    }
    toggle.checked = true;
    unseen = 0;
    toEnd();
    offer();
  }

  function take(html) {
    waiting.push(html);
    timer ||= setTimeout(draw, DRAW_EVERY);
  }

  // --- the reader -----------------------------------------------------------------------------------------------

  let top = box.scrollTop;
  box.addEventListener("scroll", () => {
    if (box.scrollTop < top - 2 && !isAtEnd()) toggle.checked = false;
    else if (isAtEnd() && !unshown) {
      toggle.checked = true;
      unseen = 0;
    }
    top = box.scrollTop;
    offer();
  });
  toggle.addEventListener("change", () => (toggle.checked ? resume() : offer()));
  more.querySelector("button").addEventListener("click", resume);

  // --- the stream -----------------------------------------------------------------------------------------------

  tail.addEventListener("htmx:sse:before:message", (event) => {
    if (event.detail.message.event) return; // named: `end`
    event.detail.cancelled = true;
    failures = 0;
    take(event.detail.message.data);
  });
  tail.addEventListener("htmx:sse:after:connection", () => {
    clearInterval(poller);
    poller = 0;
    say(`Streaming, ${clock()}`);
  });
  const failed = () => {
    failures += 1;
    say("The stream broke; trying again");
    if (failures >= FAILURES && !poller) ask();
  };
  tail.addEventListener("htmx:sse:error", failed);
  tail.addEventListener("htmx:response:error", ask);
  tail.addEventListener("htmx:error", ask);
  tail.addEventListener("end", () => {
    isOver = true;
    clearInterval(poller);
    if (waiting.length) draw();
    say(`Ended, ${clock()}`);
    fresh.dataset.ended = "";
    document.getElementById("follow-box").hidden = true;
    window.htmx?.trigger("#status-poll", "refresh");
  });

  // --- where no stream comes through ------------------------------------------------------------------------------

  function ask() {
    if (poller || isOver) return;
    const once = async () => {
      if (document.hidden) return;
      const address = new URL(tail.dataset.pollUrl, location.href);
      const last = lastRow();
      address.searchParams.set("after", String(last ? number(last) : 0));
      try {
        const answer = await fetch(address, { headers: { "HX-Request": "true" } });
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        const html = await answer.text();
        if (html.includes(' id="L')) take(html);
        say(`Asking every 2 s, ${clock()}`);
      } catch {
        say(`No answer, ${clock()}`);
      }
      if (document.getElementById("status-poll")?.hasAttribute("data-ended")) {
        isOver = true;
        clearInterval(poller);
        say(`Ended, ${clock()}`);
      }
    };
    poller = setInterval(once, POLL_EVERY);
    once();
  }
}

follow();
