// On a phone what stands beside the log is folded. Groups of steps open in place; the address says which are shown, so that it can be sent on.
function steps() {
  if (matchMedia("(max-width: 52rem)").matches) {
    for (const part of document.querySelectorAll("#side > details[open]")) part.open = false;
  }
  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (!source?.matches("[data-steps]")) return;
    const here = new URL(source.matches("form") ? location.href : source.href);
    if (source.matches("form")) {
      here.searchParams.delete("steps");
      const name = source.elements.step_name.value.trim();
      if (name) here.searchParams.set("step_name", name);
      else here.searchParams.delete("step_name");
    }
    here.hash = "";
    history.replaceState(history.state, "", here);
  });
}

steps();
