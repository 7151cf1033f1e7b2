// What every page gets from scripts. Each file beside this one does nothing where its elements are not there; none
// imports another, so that every address carries the stamp of its content.

const $ = (selector, root = document) => root.querySelector(selector);

// Empty fields stay out of the address, so that a filtered list has an address one can read and send on.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-clean]")) return;
  for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("[data-clean] :disabled")) field.disabled = false;
});

// A menu closes when the reader turns to something else.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = event.target.closest?.("details.menu[open]") ?? $("details.menu[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    }
  }
});

// Copying needs a safe origin; where there is none the button stays away.
if (navigator.clipboard) {
  const show = () => document.querySelectorAll("[data-copy][hidden]").forEach((button) => (button.hidden = false));
  show();
  document.addEventListener("htmx:after:settle", show);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText($(button.dataset.copy)?.textContent ?? "");
    button.textContent = "Copied";
  });
}
