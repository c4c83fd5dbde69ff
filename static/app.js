// On every page: the strip of running work, the keyboard, and a tidy address.

/** Texts and figures come from the server, in the reader's language. */
const strip = document.getElementById("strip");

export function say(text) {
  document.getElementById("live").textContent = text;
}

export const token = document.querySelector("meta[name=form-token]").content;

/** Asks for JSON; a problem document becomes an Error with its code and item. */
export async function ask(url, options = {}) {
  const headers = { "x-form-token": token, ...options.headers };
  const response = await fetch(url, { ...options, headers }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw Object.assign(new Error("simile does not answer; see whether it still runs"), { code: "server.gone" });
  });
  // The session has ended: the page leads to the login.
  if (response.status === 401) location.reload();
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) {
    throw Object.assign(new Error(body?.detail ?? response.statusText), { code: body?.code, item: body?.item, status: response.status });
  }
  return body;
}

/** What codes mean in the page's language; the API speaks English. */
let troubles;

/** An error, or a rejected item, in the reader's language. Without one it only fetches the words: later the server may be gone. */
export async function said({ code, item, message } = {}) {
  troubles ??= document.documentElement.lang === "en" ? {} : ask("/troubles").catch(() => ({}));
  const sentence = (await troubles)[code];
  return sentence ? (item ? `${item}：${sentence}` : sentence) : message;
}

async function refresh() {
  if (document.hidden) return later(5000);
  try {
    const { running } = await ask("/strip");
    strip.hidden = !running;
    if (running) {
      strip.querySelector(".what").textContent = running.title;
      strip.querySelector(".figures").textContent = running.figures;
      const bar = strip.querySelector("progress");
      if (running.share == null) bar.removeAttribute("value");
      else bar.value = running.share;
    }
    later(running ? 1000 : 5000);
  } catch {
    later(10000);
  }
}

let timer;
function later(ms) {
  clearTimeout(timer);
  timer = setTimeout(refresh, ms);
}
document.addEventListener("visibilitychange", () => document.hidden || later(0));
document.addEventListener("job-began", () => later(200));
later(strip.hidden ? 3000 : 1000);

// The choice is in a cookie now; an address that is shared should not carry it.
const here = new URL(location);
if (here.searchParams.has("lang") || here.searchParams.has("theme")) {
  here.searchParams.delete("lang");
  here.searchParams.delete("theme");
  history.replaceState(history.state, "", here);
}

const typing = (element) => element.matches?.("input, select, textarea, [contenteditable]");

function columns(cells) {
  const top = cells[0].offsetTop;
  const next = cells.findIndex((cell) => cell.offsetTop > top);
  return next < 0 ? cells.length : next;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.getElementById("q");
  if (event.key === "/" && box && !typing(event.target)) {
    event.preventDefault();
    box.focus();
    box.select();
    return;
  }
  const cells = [...document.querySelectorAll(".grid .open")];
  if (!cells.length) return;
  if (event.key === "ArrowDown" && event.target === box) {
    event.preventDefault();
    cells[0].focus();
    return;
  }
  const cell = event.target.closest?.(".hit");
  if (typing(event.target)) return;
  if (event.key === "m" && cell) {
    cell.querySelector(".more")?.click();
    return;
  }
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(cells), ArrowUp: -columns(cells) };
  const step = steps[event.key];
  if (!step) return;
  const at = cell ? cells.indexOf(cell.querySelector(".open")) : -1;
  if (at < 0) return;
  event.preventDefault();
  if (event.key === "ArrowUp" && at + step < 0) box?.focus();
  else cells[Math.min(Math.max(at + step, 0), cells.length - 1)].focus();
});
