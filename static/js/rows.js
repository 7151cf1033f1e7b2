// The run list by keyboard: j and k go from run to run, x selects, Enter opens (the run's link has the focus).
function rows() {
  const body = document.getElementById("run-rows");
  if (!body) return;
  const links = () => [...body.querySelectorAll("tr[id] a.name")];

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input:not([type=checkbox]), select, textarea, dialog, [contenteditable]")) return;
    const row = document.activeElement?.closest?.("#run-rows tr[id]");
    if (event.key === "j" || event.key === "k") {
      const all = links();
      const here = row ? all.findIndex((link) => row.contains(link)) : -1;
      const next = event.key === "j" ? here + 1 : here < 0 ? 0 : here - 1;
      const link = all[Math.min(Math.max(next, 0), all.length - 1)];
      if (!link) return;
      event.preventDefault();
      link.focus({ preventScroll: true });
      link.closest("tr").scrollIntoView({ block: "nearest" });
    } else if (event.key === "x" && row) {
      const box = row.querySelector(".tick");
      if (!box) return;
      event.preventDefault();
      box.click();
    }
  });
}

rows();
