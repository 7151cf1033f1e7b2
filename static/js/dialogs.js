// A form that a button fetches is shown as a dialog over the page; without scripts it is a page of its own.
function dialogs() {
  const dialog = document.getElementById("dialog");
  if (!dialog) return;
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target === dialog && dialog.firstElementChild && !dialog.open) dialog.showModal();
  });
  // Refused or unreachable: the page itself says why.
  document.addEventListener("htmx:response:error", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (event.detail.ctx?.target === dialog && source?.action) location.assign(source.action);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener("close", () => dialog.replaceChildren());
}

dialogs();
