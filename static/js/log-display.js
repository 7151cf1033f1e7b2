// How a log is shown: wrapped or not, its times, its ground, the whole screen. The choices are kept with the person.
function logDisplay() {
  const log = document.getElementById("lines")?.log;
  const form = document.querySelector("#log-display form");
  if (!log || !form) return;
  const { box, section } = log;
  const full = document.getElementById("full");
  const start = Date.parse(section.dataset.start);
  const clocks = new WeakMap(); // what a row's time said before

  // --- times ----------------------------------------------------------------------------------------------------

  function since(instant) {
    const all = Date.parse(instant) - start;
    const [sign, ms] = [all < 0 ? "−" : "+", Math.abs(all)];
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
    return `${sign}${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}.${String(ms % 1000).padStart(3, "0")}`;
  }

  function time(row) {
    const found = row.querySelector?.(":scope > time");
    if (!found) return;
    if (!clocks.has(found)) clocks.set(found, found.textContent);
    found.textContent = form.elements.time.value === "since" ? since(found.dateTime) : clocks.get(found);
  }

  const times = () => [...log.rows()].forEach(time);
  const isSince = () => form.elements.time.value === "since" && !Number.isNaN(start);
  new MutationObserver((changes) => {
    if (isSince()) for (const change of changes) change.addedNodes.forEach(time);
  }).observe(box, { childList: true });

  // --- choices --------------------------------------------------------------------------------------------------

  function keep(field) {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    body.set(field.name, field.value);
    fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } })
      .then((answer) => log.tell(answer.ok ? "" : "The choice was not kept."))
      .catch(() => log.tell("The choice was not kept."));
  }

  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name === "wrap") log.stay();
    if (name === "time" && !Number.isNaN(start)) times();
    if (name === "slab") {
      if (value === "page") document.documentElement.dataset.log = "page";
      else delete document.documentElement.dataset.log;
    }
    keep(event.target);
  });
  document.getElementById("follow")?.addEventListener("change", (event) => {
    const field = [...form.elements.follow].find((one) => one.value === (event.target.checked ? "on" : "off"));
    field.checked = true;
    keep(field);
  });

  // --- the whole screen -------------------------------------------------------------------------------------------

  function fill(isOn) {
    log.keep(() => section.toggleAttribute("data-full", isOn));
    full.setAttribute("aria-pressed", String(isOn));
    if (log.isFollowing) box.scrollTop = box.scrollHeight;
  }

  full.hidden = false;
  form.querySelector("[data-plain]").hidden = true;
  full.addEventListener("click", () => fill(!section.hasAttribute("data-full")));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
    if (event.key === "Escape" && section.hasAttribute("data-full") && !document.querySelector("details.menu[open], dialog[open]")) fill(false);
    else if (event.key === "f" && !isTyping && !document.querySelector("dialog[open]")) fill(!section.hasAttribute("data-full"));
    else return;
    event.preventDefault();
  });
  if (isSince()) times();
}

logDisplay();
