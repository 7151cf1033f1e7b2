// The way of new lines into an open page: a stream that is taken up again where it broke, or, where none gets through,
// a question every two seconds. Both hand on HTML as the event "log:lines" on #tail, and say in words how it stands.
// The line that has not ended comes by the stream alone, as the event "log:growing"; no HTML: there is none.
const STALE = 32_000; // milliseconds without a word; the server sends one at least every 15 s
const OPENED = 10_000; // milliseconds for the first word: a proxy that holds it back lets no stream through
const FAILURES = 3; // in a row, before asking instead
const ASK_EVERY = 2000; // milliseconds
const TRY_AGAIN = 30_000; // milliseconds between tries of the stream while asking
const AWAY = 60_000; // milliseconds after which what was missed is not streamed but read anew
const SLOWEST = 8000; // milliseconds between two tries
const SETTLED = 1000; // milliseconds after which a stream that has begun would have said what is growing

function logStream() {
  const tail = document.getElementById("tail");
  const log = document.getElementById("lines")?.log;
  if (!tail || !log) return;
  const fresh = document.getElementById("fresh");
  const base = new URL(tail.dataset.stream, location.href);
  let reached = Number(base.searchParams.get("after"));
  let heard = Date.now();
  let failures = 0;
  let connection = null; // aborts the stream that is open
  let waiting = 0; // for the next try
  let poller = 0;
  let isOver = false;
  let settling = 0; // until the stream has said what the page may still show

  const clock = () => new Date().toLocaleTimeString("en-GB", { timeZone: log.box.dataset.zone || undefined });
  const say = (text, isTrouble = false) => {
    fresh.textContent = text;
    fresh.toggleAttribute("data-stale", isTrouble);
  };
  const hand = (html, last) => tail.dispatchEvent(new CustomEvent("log:lines", { detail: { html, last } }));
  const grow = (html) => {
    clearTimeout(settling);
    tail.dispatchEvent(new CustomEvent("log:growing", { detail: html }));
  };

  // --- the stream -----------------------------------------------------------------------------------------------

  async function open() {
    clearTimeout(waiting);
    if (isOver || document.hidden || connection) return;
    const mine = (connection = new AbortController());
    base.searchParams.set("after", String(reached));
    let silence = setTimeout(() => mine.abort("late"), OPENED);
    let hasWord = false;
    try {
      const answer = await fetch(base, { headers: { Accept: "text/event-stream" }, signal: mine.signal });
      if (answer.status === 403 || answer.redirected) return location.reload(); // signed out meanwhile
      if (!answer.ok || !answer.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Error("refused");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        clearTimeout(silence);
        silence = setTimeout(() => mine.abort("silent"), STALE);
        if (!hasWord) begun();
        hasWord = true;
        heard = Date.now();
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const text of events) if (take(text)) return;
      }
      failures = hasWord ? 0 : failures + 1; // the server ends a stream now and then
    } catch {
      if (mine.signal.reason === "hidden") return;
      // Nothing came through in time: asking begins at once.
      failures = mine.signal.reason === "late" ? FAILURES : failures + 1;
    } finally {
      clearTimeout(silence);
      grow("");
      if (connection === mine) connection = null;
      mine.abort();
    }
    if (!poller) say(`The stream broke at ${clock()}; trying again`, true);
    if (failures >= FAILURES) ask();
    waiting = setTimeout(resume, poller ? TRY_AGAIN : Math.min(SLOWEST, 500 * 2 ** failures));
  }

  function begun() {
    failures = 0;
    clearInterval(poller);
    poller = 0;
    settling = setTimeout(grow, SETTLED, "");
    say(`Streaming, ${clock()}`);
  }

  // One event; true if it was the last one.
  function take(text) {
    let name = "";
    let id = "";
    const data = [];
    for (const line of text.split("\n")) {
      if (line.startsWith("data: ")) data.push(line.slice(6));
      else if (line.startsWith("id: ")) id = line.slice(4);
      else if (line.startsWith("event: ")) name = line.slice(7);
    }
    if (name === "end") {
      over();
      return true;
    }
    if (name === "growing") {
      grow(data.join("\n"));
      say(`Streaming, ${clock()}`);
    } else if (data.length) {
      reached = Math.max(reached, Number(id));
      log.note(reached);
      hand(data.join("\n"), reached);
      say(`Streaming, ${clock()}`);
    }
    return false;
  }

  function over() {
    isOver = true;
    clearInterval(poller);
    clearTimeout(waiting);
    tail.dispatchEvent(new CustomEvent("log:end"));
    say(`Ended, ${clock()}`);
    fresh.dataset.ended = "";
    window.htmx?.trigger("#status-poll", "refresh");
  }

  // After a long silence there may be millions of lines: the page takes up the end again, not all that lies between.
  async function resume() {
    if (Date.now() - heard > AWAY) {
      try {
        await log.catchUp();
        reached = Math.max(reached, log.lineCount);
        heard = Date.now();
      } catch {
        say(`No answer, ${clock()}; trying again`, true);
      }
    }
    open();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      connection?.abort("hidden");
      connection = null;
    } else if (!connection && !isOver) resume();
  });

  // --- where no stream comes through ------------------------------------------------------------------------------

  function ask() {
    if (poller || isOver) return;
    let isAsking = false;
    const once = async () => {
      if (document.hidden || isAsking) return;
      isAsking = true;
      try {
        await log.catchUp();
        reached = Math.max(reached, log.lineCount);
        heard = Date.now();
        say(`Asking every 2 s: streaming does not get through. ${clock()}`);
        if (document.getElementById("status-poll")?.hasAttribute("data-ended")) {
          await log.catchUp();
          over();
        }
      } catch {
        say(`No answer, ${clock()}; asking again every 2 s`, true);
      }
      isAsking = false;
    };
    poller = setInterval(once, ASK_EVERY);
    once();
  }

  open();
}

logStream();
