// Trees of values: the row under the pointer or the focus says where it stands, and can be copied or opened by itself;
// arrow keys go from row to row. Copies are fetched as they are kept: what the tree leaves out is in them.
function values() {
  const ROW = "li[data-path]";
  const tool = document.createElement("span");
  tool.className = "tree-tool";
  tool.dataset.hold = "";
  const path = document.createElement("code");
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "copy";
  const open = document.createElement("a");
  open.className = "link";
  open.textContent = "Open";
  tool.append(path);
  if (navigator.clipboard) tool.append(copy);
  tool.append(open);

  function show(row) {
    if (!row || tool.parentElement === row || tool.contains(document.activeElement)) return;
    const { address } = row.closest(".tree").dataset;
    path.textContent = row.dataset.path;
    copy.textContent = "Copy";
    copy.hidden = open.hidden = !address;
    open.href = `${address}?at=${row.dataset.at}`;
    copy.dataset.copyFrom = `${address}json/?at=${row.dataset.at}`;
    row.append(tool);
  }

  // The rows that are seen: none in a part that is closed.
  const seen = (tree) => [...tree.querySelectorAll(ROW)].filter((row) => row.checkVisibility());

  function move(event, tree) {
    const rows = seen(tree);
    const at = rows.indexOf(document.activeElement.closest(ROW));
    const part = rows[at]?.querySelector(":scope > details");
    let next = null;
    if (event.key === "ArrowDown") next = rows[at + 1];
    else if (event.key === "ArrowUp") next = at > 0 ? rows[at - 1] : tree;
    else if (event.key === "ArrowRight" && part) part.open = true;
    else if (event.key === "ArrowLeft" && part?.open) part.open = false;
    else if (event.key === "ArrowLeft") next = rows[at]?.parentElement.closest(ROW);
    else return;
    event.preventDefault();
    if (next) (next.matches(ROW) ? (next.querySelector(":scope > details > summary") ?? next) : next).focus();
  }

  document.addEventListener("pointerover", (event) => show(event.target.closest?.(`.tree ${ROW}`)));
  document.addEventListener("focusin", (event) => show(event.target.closest?.(`.tree ${ROW}`)));
  document.addEventListener("keydown", (event) => {
    const tree = event.target.closest?.("ul.tree");
    if (tree && !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey) move(event, tree);
  });

  // Text is copied as it is, everything else as JSON, numbers with all their digits.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy-from]");
    if (!button) return;
    const answer = await fetch(button.dataset.copyFrom);
    if (!answer.ok || answer.redirected) {
      button.textContent = "Not copied";
      return;
    }
    const json = (await answer.text()).trim();
    await navigator.clipboard.writeText(json.startsWith('"') ? JSON.parse(json) : json);
    button.textContent = "Copied";
  });
  const offer = () => {
    for (const button of document.querySelectorAll("[data-copy-from][hidden]")) button.hidden = button === copy;
  };
  if (!navigator.clipboard) return;
  offer();
  document.addEventListener("htmx:after:settle", offer);
}

values();
