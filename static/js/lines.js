// Links to a line: one that is not on the page is fetched with its surroundings.
const LINE = /^#L(\d+)$/;
const BEFORE = 20; // lines shown before the one that was asked for

function lines() {
  if (!document.getElementById("lines")) return;
  const go = () => {
    const found = LINE.exec(location.hash);
    if (!found) return;
    const row = document.getElementById(`L${found[1]}`);
    if (row) {
      row.scrollIntoView({ block: "center" });
      return;
    }
    const address = new URL(location.href);
    const start = String(Math.max(1, Number(found[1]) - BEFORE));
    if (address.searchParams.get("from") === start) return; // there is no such line
    for (const name of ["step", "level", "before"]) address.searchParams.delete(name);
    address.searchParams.set("from", start);
    location.replace(address);
  };
  addEventListener("hashchange", go);
  go();
}

lines();
