// Completion in the filter bar: a combobox with a list (WAI-ARIA), for the word at the caret. The field works without it.
function query() {
  const input = document.querySelector("[data-suggest]");
  const list = document.getElementById("query-options");
  if (!input || !list) return;
  const said = document.getElementById("query-said");
  const WAIT = 120; // milliseconds after a key
  let timer = 0;
  let asked = 0; // the newest question: older answers are of no use
  let active = -1;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  // Where the word at the caret begins and ends; blanks within quotation marks belong to it.
  const word = () => {
    const caret = input.selectionStart ?? input.value.length;
    let start = 0;
    let isQuoted = false;
    for (let place = 0; place < caret; place++) {
      const sign = input.value[place];
      if (sign === "\\" && isQuoted) place++;
      else if (sign === '"') isQuoted = !isQuoted;
      else if (/\s/.test(sign) && !isQuoted) start = place + 1;
    }
    const rest = isQuoted ? "" : input.value.slice(caret).match(/^\S*/)[0];
    return { start, end: caret + rest.length, text: input.value.slice(start, caret) };
  };
  const options = () => [...list.children];
  const close = () => {
    clearTimeout(timer);
    asked++;
    active = -1;
    list.hidden = true;
    list.replaceChildren();
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    said.textContent = "";
  };
  const mark = (place) => {
    active = place;
    for (const [number, option] of options().entries()) option.setAttribute("aria-selected", String(number === place));
    if (place < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  };
  const show = (items) => {
    if (!items.length) return close();
    const made = items.map((item, number) => {
      const option = document.createElement("li");
      option.id = `query-option-${number}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.text = item.text;
      const text = document.createElement("code");
      text.textContent = item.text;
      const about = document.createElement("span");
      about.textContent = item.about;
      option.append(text, about);
      return option;
    });
    list.replaceChildren(...made);
    list.hidden = false;
    active = -1;
    input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-expanded", "true");
    said.textContent = `${items.length} suggestion${items.length === 1 ? "" : "s"}`;
  };
  const ask = async () => {
    const number = ++asked;
    const address = `${input.dataset.suggest}?token=${encodeURIComponent(word().text)}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (number !== asked) return;
    // Without an answer, or signed out meanwhile, one types on as without suggestions.
    if (!answer?.ok || answer.redirected) return close();
    const { items } = await answer.json();
    if (number === asked && document.activeElement === input) show(items);
  };
  const ask_soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  };
  const take = (option) => {
    const { start, end } = word();
    const text = option.dataset.text;
    const goes_on = /[:=]$/.test(text); // its value comes next
    const before = input.value.slice(0, start) + text + (goes_on ? "" : " ");
    input.value = before + input.value.slice(end).replace(/^\s+/, "");
    input.setSelectionRange(before.length, before.length);
    input.focus();
    if (goes_on) ask();
    else close();
  };

  input.addEventListener("input", ask_soon);
  input.addEventListener("focus", () => {
    if (input.value === "") ask_soon();
  });
  input.addEventListener("blur", close);
  input.form.addEventListener("submit", close);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const count = list.hidden ? 0 : list.children.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!count) return ask();
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark(active < 0 ? (step > 0 ? 0 : count - 1) : (active + step + count) % count);
    } else if ((event.key === "Enter" || event.key === "Tab") && count && active >= 0) {
      event.preventDefault();
      take(list.children[active]);
    } else if (event.key === "Escape" && count) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
}

query();
