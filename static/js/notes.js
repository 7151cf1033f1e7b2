// A note that is being written stays: it is sent with Ctrl+Enter, and what is refused is sent as a page that says why.
function notes() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.target.closest?.(".note-form, #note-edit form")?.requestSubmit();
  });
  document.addEventListener("htmx:response:error", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (source?.matches("#note-form")) source.submit();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.sourceElement?.matches("#note-form")) document.getElementById("note-text")?.focus();
  });
  addEventListener("beforeunload", (event) => {
    const field = document.getElementById("note-text");
    if (field?.value.trim() && !field.form.dataset.sent) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("#note-form")) event.target.dataset.sent = "";
  });
}

notes();
