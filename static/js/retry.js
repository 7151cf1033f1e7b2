// The retry dialog: which fields differ from what they were, and the ways back. The server says what would run.
function retry() {
  const boxOf = (element) => element.closest?.("#retry-form .field[data-was]");
  const fieldOf = (box) => box.querySelector("input, select, textarea");
  const wasOf = (box) => box.querySelector("[data-old]").textContent;
  const isTicked = (text) => text === "true";

  const mark = (box) => {
    const field = fieldOf(box);
    const was = wasOf(box);
    const isChanged = field.type === "checkbox" ? field.checked !== isTicked(was) : field.value !== was;
    box.classList.toggle("changed", isChanged);
    box.querySelector("[data-put-back]").hidden = !isChanged;
  };
  const show = () => {
    document.querySelectorAll("#retry-form .field[data-was]").forEach(mark);
    document.querySelectorAll("#retry-form [data-begin]").forEach((button) => (button.hidden = false));
  };

  document.addEventListener("input", (event) => {
    const box = boxOf(event.target);
    if (box) mark(box);
  });
  document.addEventListener("click", (event) => {
    const back = event.target.closest?.("[data-put-back]");
    const begin = event.target.closest?.("#retry-form [data-begin]");
    if (back) {
      const box = boxOf(back);
      const field = fieldOf(box);
      if (field.type === "checkbox") field.checked = isTicked(wasOf(box));
      else field.value = wasOf(box);
      mark(box);
      field.focus();
      field.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (begin) {
      const radio = document.querySelector(`#retry-form [name=start_at][value="${CSS.escape(begin.dataset.begin)}"]`);
      if (!radio) return;
      radio.checked = true;
      radio.focus();
      radio.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
  document.addEventListener("htmx:after:settle", show);
  show();
}

retry();
