// Keys of the page: what has `data-key` is pressed by it. `g` waits a little for a second key. None while one types.
// An element that acts at once and cannot be taken back (.danger) only gets the focus; a menu opens, and asks.
function keys() {
  const SECOND_KEY = 1500; // milliseconds
  const sheet = document.getElementById("sheet");
  let prefix = "";
  let timer = 0;

  const isTyping = (target) => target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
  const find = (key) =>
    [...document.querySelectorAll("[data-key]")].find(
      (one) => one.dataset.key.split(", ").includes(key) && one.checkVisibility() && !one.disabled,
    );

  function press(element) {
    if (element.matches("summary")) {
      const menu = element.parentElement;
      menu.open = true;
      (menu.querySelector(".panel :is(input:not([type=hidden]), select, textarea, button)") ?? element).focus();
    } else if (element.matches("input, .danger")) element.focus();
    else element.click();
  }

  function forget() {
    clearTimeout(timer);
    prefix = "";
  }

  // First of all listeners: the second key of a pair is nobody else's.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
      if (hasModifier || isTyping(event.target) || document.querySelector("dialog[open]")) return forget();
      const begun = prefix;
      forget();
      if (begun) {
        const found = find(`${begun} ${event.key}`);
        if (found) press(found);
      } else if (event.key === "g" && document.querySelector('[data-key^="g "]')) {
        prefix = "g";
        timer = setTimeout(forget, SECOND_KEY);
      } else if (event.key === "?" && sheet) {
        sheet.showModal();
      } else {
        const found = event.repeat ? null : find(event.key);
        if (!found) return;
        press(found);
      }
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );

  document.addEventListener("page:press", (event) => press(event.target));
  document.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-sheet-open]");
    if (!way || !sheet || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    way.closest("details")?.removeAttribute("open");
    sheet.showModal();
  });
  sheet?.addEventListener("click", (event) => {
    if (event.target === sheet || event.target.closest("[data-close]")) sheet.close();
  });
}

keys();
