// Open pages ask for news; they do not while nobody looks, while the reader selects text in what would change, or
// presses a button: what moves away from under a finger is not pressed.
const STALE_AFTER = 10_000; // milliseconds without an answer

function polling() {
  let heard = Date.now();

  let isPressing = false;
  let missed = null; // the form whose answer was held back
  addEventListener("pointerdown", () => (isPressing = true), true);
  for (const name of ["pointerup", "pointercancel", "blur"]) {
    addEventListener(name, () =>
      setTimeout(() => {
        isPressing = false;
        if (missed?.isConnected) missed.dispatchEvent(new Event("change"));
        missed = null;
      }),
    );
  }

  const isSelecting = () => {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.toString() !== "";
  };
  const isHeld = () => {
    const menu = document.querySelector("main details.menu[open]");
    const here = document.activeElement;
    return isPressing || isSelecting() || menu?.contains(here) || here?.closest("[data-hold]");
  };
  document.addEventListener("htmx:before:request", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (source?.matches("[data-poll]") && (document.hidden || isHeld())) event.preventDefault();
  });
  // What was asked for before the reader began is asked for again.
  document.addEventListener("htmx:before:swap", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (source?.matches("[data-poll]") && isHeld()) event.preventDefault();
    if (source?.matches("[data-follows]") && isPressing) {
      event.preventDefault();
      missed = source;
    }
  });

  // Signed out meanwhile: the answer is the sign-in page, and belongs into no fragment.
  document.addEventListener("htmx:after:request", (event) => {
    const response = event.detail.ctx?.response;
    if (response?.raw?.redirected && new URL(response.raw.url).pathname.startsWith("/login/")) {
      event.preventDefault();
      location.reload();
    } else if (response?.status < 400) {
      heard = Date.now();
    }
  });
  setInterval(() => {
    const sign = document.getElementById("live");
    if (!sign || document.hidden) return;
    sign.toggleAttribute("data-stale", Date.now() - heard > STALE_AFTER);
    if (sign.hasAttribute("data-stale") && !sign.textContent.startsWith("Not")) {
      sign.textContent = `Not live: no answer for ${Math.round((Date.now() - heard) / 1000)} s`;
    }
  }, 2000);
}

polling();
