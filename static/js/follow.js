// New lines in an open log: drawn a little at a time, at the end if the reader is there, else counted.
const BUDGET = 12; // milliseconds of work in a frame
const MOST_WAITING = 4000; // lines that came and are not drawn; beyond it the oldest of them become an omission
const KEPT_WAITING = 1000;

function follow() {
  const tail = document.getElementById("tail");
  const log = document.getElementById("lines")?.log;
  if (!tail || !log) return;
  const { box, section } = log;
  const toggle = document.getElementById("follow");
  const more = document.getElementById("more");
  let waiting = []; // {html, count}: came and is not drawn yet, in order
  let held = []; // the same, while the end of the log is being asked for
  let asked = 0; // how many such questions are open
  let hasGap = false; // some of what came was dropped
  let frame = 0;
  let seen = log.lineCount; // lines there were when the reader last was at the end

  const isJoined = () => !log.cut("later");
  const count = (html) => html.split('<div id="L').length - 1;
  const sum = (parts) => parts.reduce((total, part) => total + part.count, 0);

  const setFollowing = (isOn) => {
    toggle.checked = isOn;
    log.isFollowing = isOn;
  };

  // --- drawing --------------------------------------------------------------------------------------------------

  function take(html) {
    const part = { html, count: count(html) };
    if (!part.count) {
      // The server was faster than any reader, and says so: what it sends next stands alone.
      waiting = [];
      held = [];
      hasGap = isJoined() || asked > 0;
    } else if (asked) held.push(part);
    else if (isJoined()) {
      waiting.push(part);
      frame ||= requestAnimationFrame(draw);
    }
    while (sum(held) > MOST_WAITING) {
      held.shift();
      hasGap = true;
    }
    offer();
  }

  function draw() {
    frame = 0;
    if (!isJoined()) waiting = [];
    const ends = performance.now() + BUDGET;
    if (waiting.length && (hasGap || sum(waiting) > MOST_WAITING)) {
      hasGap = false;
      skip();
    }
    const fragment = document.createDocumentFragment();
    let last = log.end("later");
    let line = last ? log.number(last) : 0;
    let drawn = 0;
    while (waiting.length && performance.now() < ends) {
      const template = document.createElement("template");
      template.innerHTML = waiting.shift().html;
      for (const row of [...template.content.children]) {
        if (row.id?.[0] === "L") {
          if (log.number(row) <= line) continue; // came twice
          line = log.number(row);
          drawn += 1;
        }
        fragment.append(row);
      }
    }
    if (drawn) put(fragment);
    if (waiting.length) frame ||= requestAnimationFrame(draw);
    offer();
  }

  function put(fragment) {
    box.querySelector(":scope > .blank")?.remove();
    if (log.isFollowing) {
      box.append(fragment);
      if (!log.letGo("earlier")) setFollowing(false); // what would go is selected: the reader reads
      else box.scrollTop = box.scrollHeight;
      seen = log.lineCount;
      box.dispatchEvent(new CustomEvent("log:changed"));
      return;
    }
    const isFull = box.childElementCount + fragment.childElementCount > log.mostRows;
    log.keep(() => box.append(isFull ? log.makeCut("later") : fragment));
  }

  // More came than can be drawn. The newest are shown, and a row says how many lie before them; they are not lost.
  function skip() {
    if (log.isFollowing && log.isHeld(box)) setFollowing(false); // the reader has selected something
    if (!log.isFollowing) {
      waiting = [];
      log.keep(() => box.append(log.makeCut("later")));
      return;
    }
    while (waiting.length > 1 && sum(waiting) - waiting[0].count >= KEPT_WAITING) waiting.shift();
    const line = Number(/<div id="L(\d+)/.exec(waiting[0].html)[1]);
    const template = document.createElement("template");
    template.innerHTML = waiting.shift().html;
    box.replaceChildren(template.content);
    if (line > 1) box.prepend(log.makeCut("earlier"));
  }

  // --- the reader -----------------------------------------------------------------------------------------------

  function offer() {
    const unseen = log.lineCount - seen;
    more.hidden = log.isFollowing || unseen <= 0;
    more.querySelector("span").textContent = `${unseen.toLocaleString("en")} new line${unseen === 1 ? "" : "s"}`;
  }

  async function resume() {
    setFollowing(true);
    await toEnd();
  }

  // While the end is asked for, what the stream brings is held, and then goes on after it: no gap, nothing twice.
  async function toEnd() {
    hold();
    try {
      await log.toEnd();
    } catch {
      setFollowing(false);
      log.tell("No answer: the end could not be read. Try again.");
    } finally {
      release();
    }
    seen = log.lineCount;
    offer();
  }

  const hold = () => (asked += 1);

  function release() {
    asked -= 1;
    if (asked) return;
    if (isJoined()) waiting.push(...held);
    else hasGap = false;
    held = [];
    if (waiting.length) frame ||= requestAnimationFrame(draw);
  }

  box.addEventListener("log:asking", (event) => event.detail === "later" && hold());
  box.addEventListener("log:asked", (event) => event.detail === "later" && release());
  box.addEventListener("log:grew", offer);

  // What was missed while no stream came: the end anew if the reader follows, else only how much there is.
  log.catchUp = async () => {
    if (!isJoined()) {
      await log.read({ after: 1e15 });
      return;
    }
    const last = log.end("later");
    const content = await log.read({ after: last ? log.number(last) : 0 });
    if (content.querySelector("[data-cut=later]")) {
      // More than one asks for at once.
      if (log.isFollowing) {
        log.replace(await log.read({ from: "end" }));
        box.scrollTop = box.scrollHeight;
      } else log.keep(() => box.append(log.makeCut("later")));
    } else if (content.childElementCount) put(content);
    if (log.isFollowing) seen = log.lineCount;
    offer();
  };
  log.resume = resume;
  log.release = () => {
    if (!log.isFollowing) return;
    setFollowing(false);
    seen = log.lineCount;
  };

  let top = box.scrollTop;
  box.addEventListener("scroll", () => {
    if (log.isFollowing && box.scrollTop < top - 2 && !log.isAtEnd()) {
      setFollowing(false);
      seen = log.lineCount;
    } else if (!log.isFollowing && box.scrollTop > top && log.isAtEnd() && isJoined() && !asked) {
      setFollowing(true);
      seen = log.lineCount;
    }
    top = box.scrollTop;
    offer();
  });
  // Lines that pour in move the end before the browser tells of the scrolling: the reader's own move counts at once.
  const leave = () => {
    if (box.scrollHeight <= box.clientHeight) return;
    log.release();
    offer();
  };
  let finger = 0;
  box.addEventListener("wheel", (event) => event.deltaY < 0 && leave(), { passive: true });
  box.addEventListener("touchstart", (event) => (finger = event.touches[0].clientY), { passive: true });
  box.addEventListener("touchmove", (event) => event.touches[0].clientY > finger + 2 && leave(), { passive: true });
  box.addEventListener("keydown", (event) => ["ArrowUp", "PageUp", "Home"].includes(event.key) && leave());
  toggle.addEventListener("change", () => {
    log.isFollowing = toggle.checked;
    seen = log.lineCount;
    if (toggle.checked) resume();
    else offer();
  });
  more.querySelector("button").addEventListener("click", resume);
  tail.addEventListener("log:lines", (event) => take(event.detail.html));
  tail.addEventListener("log:end", () => {
    document.getElementById("follow-box").hidden = true;
    section.removeAttribute("data-live");
  });

  document.getElementById("follow-box").hidden = false;
  const isElsewhere = location.hash.startsWith("#L") || !isJoined() || section.dataset.follow === "off";
  setFollowing(!isElsewhere);
  if (!isElsewhere) box.scrollTop = box.scrollHeight;
}

follow();
