// One tick for all rows of the page, and back; the bar with the buttons shows itself where something is ticked.
function ticks() {
  const all = document.getElementById("tick-all");
  if (!all) return;
  const boxes = () => [...document.querySelectorAll(".tick")];
  all.hidden = false;
  all.addEventListener("change", () => boxes().forEach((box) => (box.checked = all.checked)));
  document.addEventListener("change", (event) => {
    if (!event.target.matches(".tick")) return;
    const ticked = boxes().filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
  });
  document.getElementById("bulk")?.addEventListener("reset", () => (all.checked = all.indeterminate = false));
}

ticks();
