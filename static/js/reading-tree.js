// A line that holds JSON as a tree below it, on demand. All of it is made of the line's text, as text: numbers keep their
// digits, keys that come twice come twice. A value is a button that puts it into the find box.
const MOST = 400; // keys and values shown
const DEEPEST = 30;
const LONGEST = 2000; // characters of a value
const FOUND = 200; // characters that go into the find box
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

function trees() {
  const box = document.getElementById("lines");
  if (!box) return;

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (tag === "button") element.type = "button";
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function offer(row) {
    if (!row.hasAttribute?.("data-json") || row.querySelector(":scope > .tree-open")) return;
    const button = make("button", "tree-open");
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", `Line ${row.id.slice(1)} as a tree`);
    button.title = "Show as a tree";
    row.append(button);
  }

  // The JSON in a line: the line itself, or what stands behind its beginning.
  function find(text) {
    const starts = [...text.matchAll(/[{[]/g)].slice(0, 5);
    for (const { index } of starts) {
      const source = text.slice(index);
      try {
        JSON.parse(source);
        return source;
      } catch {
        continue; // a bracket of the text before it
      }
    }
    return null;
  }

  function build(source) {
    const tokens = source.match(TOKEN);
    let at = 0;
    let shown = 0;
    let left = 0;

    // A value, as what stands behind its key; the same whether it is still shown or only passed over.
    function read(parent, depth) {
      const token = tokens[at++];
      if (token !== "{" && token !== "[") {
        if (parent) parent.append(value(token));
        return;
      }
      const isObject = token === "{";
      const list = parent && depth < DEEPEST ? make("ul") : null;
      const size = make("span", "size");
      let count = 0;
      while (tokens[at] !== "}" && tokens[at] !== "]") {
        const key = isObject ? tokens[at] : String(count);
        if (isObject) at += 2;
        const isShown = list && shown < MOST;
        const item = isShown ? make("li") : null;
        if (isShown) {
          shown += 1;
          item.append(make("span", isObject ? "key" : "key place", isObject ? key.slice(1, -1) : key));
          list.append(item);
        } else left += 1;
        read(item, depth + 1);
        count += 1;
        if (tokens[at] === ",") at += 1;
      }
      at += 1;
      size.textContent = isObject ? `{${count}}` : `[${count}]`;
      if (parent) parent.append(size);
      if (list && count) parent.append(list);
    }

    function value(token) {
      const isText = token.startsWith('"');
      const text = isText ? token.slice(1, -1) : token;
      const button = make("button", isText ? "value text" : "value", text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
      button.title = "Find this in the log";
      return button;
    }

    const tree = make("div", "root");
    read(tree, 0);
    if (left) tree.append(make("p", "left", `${left.toLocaleString("en")} more values are in the line itself.`));
    return tree;
  }

  function toggle(button) {
    const row = button.parentElement;
    const known = row.nextElementSibling;
    const isOpen = known?.className === "tree";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      known.remove();
      return;
    }
    const place = make("div", "tree");
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", `Line ${row.id.slice(1)} as a tree`);
    const source = find(row.children[3].textContent);
    if (source === null) place.append(make("p", "left", "This line is not JSON: its brackets mean something else, or it is cut off."));
    else {
      if (navigator.clipboard) place.append(make("button", "copy", "Copy"));
      place.append(build(source));
    }
    row.after(place);
  }

  box.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (button?.classList.contains("tree-open")) toggle(button);
    else if (button?.matches(".tree .value")) {
      const field = document.querySelector("#find input[name=text]");
      if (!field || !getSelection().isCollapsed) return;
      field.value = button.textContent.slice(0, FOUND);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (button?.matches(".tree .copy")) {
      const source = find(button.parentElement.previousElementSibling.children[3].textContent);
      await navigator.clipboard.writeText(source);
      button.textContent = "Copied";
    }
  });

  new MutationObserver((records) => {
    for (const record of records) record.addedNodes.forEach(offer);
  }).observe(box, { childList: true });
  box.querySelectorAll(":scope > [data-json]").forEach(offer);
}

trees();
