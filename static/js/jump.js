// The palette (Ctrl+K): a combobox (WAI-ARIA) of what the page can do, where its links lead, and what the server knows.
function jump() {
  const dialog = document.getElementById("jump");
  if (!dialog) return;
  const form = dialog.querySelector("form");
  const input = document.getElementById("jump-to");
  const list = document.getElementById("jump-options");
  const none = document.getElementById("jump-none");
  const said = document.getElementById("jump-said");
  const sprite = document.querySelector(".top use").getAttribute("href").split("#")[0];
  const WAIT = 100; // milliseconds after a key
  const PICTURES = { Flow: "flows", Runs: "filter", Search: "search", Page: "right", Action: "hand" };
  let timer = 0;
  let asked = 0; // the newest question: older answers are of no use
  let isAsking = false;
  let wantsFirst = false; // Enter came before the answer
  let shown = [];
  let active = -1;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  // --- what there is ----------------------------------------------------------------------------------------------

  const name = (element) => (element.getAttribute("aria-label") ?? element.innerText ?? "").trim() || element.textContent.trim();
  const actions = () => {
    const here = [...document.querySelectorAll("main :is(.acts, .acts-more) :is(button, summary, a.btn)")].filter(
      (one) => one.checkVisibility() && !one.disabled && !one.closest(".panel"),
    );
    const themes = [...document.querySelectorAll(".themes button")].map((one) => ({ kind: "Action", text: `Theme: ${one.textContent}`, element: one }));
    return [...here.map((one) => ({ kind: "Action", text: name(one), about: "on this page", element: one })), ...themes];
  };
  const pages = () =>
    [...document.querySelectorAll(".top .nav a, .top .panel a")].map((one) => ({
      kind: "Page",
      text: one.firstChild.nodeType === 3 ? one.firstChild.textContent.trim() : name(one),
      url: one.href,
    }));
  const fits = (place, words) => words.every((word) => place.text.toLowerCase().includes(word));

  function gather(text, found) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [...actions().filter((one) => one.about), ...found, ...pages()];
    const own = [...pages(), ...actions()].filter((place) => fits(place, words));
    const isQuestion = (place) => place.kind === "Runs" || place.kind === "Search";
    return [...found.filter((one) => !isQuestion(one)), ...own, ...found.filter(isQuestion)];
  }

  // --- the list ---------------------------------------------------------------------------------------------------

  function picture(id) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "i");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${sprite}#${id}`);
    svg.append(use);
    return svg;
  }

  function option(place, number) {
    const made = document.createElement("li");
    made.id = `jump-option-${number}`;
    made.setAttribute("role", "option");
    if (place.state) made.dataset.s = place.state;
    made.append(picture(place.state ? `s-${place.state}` : PICTURES[place.kind]));
    for (const [tag, text] of [["b", place.text], ["span", place.about ?? ""], ["small", place.kind]]) {
      const part = document.createElement(tag);
      part.textContent = text;
      made.append(part, " ");
    }
    return made;
  }

  function mark(place) {
    active = place;
    for (const [number, one] of [...list.children].entries()) one.setAttribute("aria-selected", String(number === place));
    if (place < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  function show(places) {
    shown = places;
    list.replaceChildren(...places.map(option));
    list.hidden = !places.length;
    none.hidden = places.length > 0;
    input.setAttribute("aria-expanded", String(places.length > 0));
    said.textContent = `${places.length} place${places.length === 1 ? "" : "s"}`;
    mark(places.length ? 0 : -1);
    list.scrollTop = 0;
  }

  async function ask() {
    const number = ++asked;
    const text = input.value.trim();
    const address = `${form.dataset.jump}?q=${encodeURIComponent(text)}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    // Without an answer, or signed out meanwhile, there is still what the page knows.
    const items = answer?.ok && !answer.redirected ? (await answer.json()).items : [];
    if (number !== asked || !dialog.open) return;
    isAsking = false;
    show(gather(text, items));
    if (wantsFirst) take(shown[0]);
    wantsFirst = false;
  }

  function askSoon() {
    isAsking = true;
    asked++;
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  }

  function take(place) {
    if (!place) return;
    dialog.close();
    if (place.element) place.element.dispatchEvent(new CustomEvent("page:press", { bubbles: true }));
    else location.assign(place.url);
  }

  // --- opening, keys ----------------------------------------------------------------------------------------------

  function open() {
    if (document.querySelector("dialog[open]")) return;
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
    input.value = "";
    dialog.showModal();
    input.focus();
    show(gather("", []));
    isAsking = true;
    ask();
  }

  for (const way of document.querySelectorAll("[data-jump-open]")) {
    const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
    way.setAttribute("aria-haspopup", "dialog");
    way.setAttribute("aria-keyshortcuts", isMac ? "Meta+K" : "Control+K");
    const hint = way.querySelector("kbd");
    hint.hidden = false;
    if (isMac) hint.textContent = "⌘ K";
    way.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || event.shiftKey || event.altKey || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    asked++;
    wantsFirst = false;
    input.blur(); // where nothing had the focus before, the closed field would keep it for a moment
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  // The field has no name: on a page with a field `q` of its own there is one of them.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(`${form.action}?${new URLSearchParams({ q: input.value })}`);
  });
  input.addEventListener("input", askSoon);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const one = event.target.closest("[role=option]");
    if (one) take(shown[[...list.children].indexOf(one)]);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && shown.length) {
      event.preventDefault();
      mark((active + step + shown.length) % shown.length);
    } else if (event.key === "Enter" && isAsking) {
      event.preventDefault();
      wantsFirst = true;
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      take(shown[active]);
    }
  });
}

jump();
