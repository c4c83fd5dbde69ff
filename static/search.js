// The search page: answers while one types, photos by drop and paste. Without it the form works by itself.
import { say } from "./app.js";

const form = document.getElementById("search");
const box = document.getElementById("q");
const results = document.getElementById("results");

let asking;

/** Puts the answer of `url` in place of what is shown. */
async function show(url, options = {}, push = true) {
  asking?.abort();
  asking = new AbortController();
  const slow = setTimeout(() => {
    results.setAttribute("aria-busy", "true");
    say(results.dataset.busy);
  }, 300);
  try {
    const response = await fetch(url, { ...options, headers: { accept: "text/html" }, signal: asking.signal });
    if (response.status === 401) return location.reload();
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("results");
    if (!fresh) {
      document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
      return;
    }
    swap(page, fresh, response.url, push);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(typeof url === "string" ? url : "/");
    return;
  } finally {
    clearTimeout(slow);
    results.removeAttribute("aria-busy");
  }
}

function swap(page, fresh, url, push) {
  results.replaceChildren(...fresh.childNodes);
  const heading = ".hero, #main > h1";
  document.querySelector(heading)?.replaceWith(...[page.querySelector(heading)].filter(Boolean));
  document.title = page.title;
  for (const chip of form.querySelectorAll(".chip, input[name=kept]")) chip.remove();
  const theirs = page.getElementById("search");
  form.querySelector(".box").prepend(...theirs.querySelectorAll(".chip, input[name=kept]"));
  const quiet = theirs.querySelector(".quiet");
  if (quiet && !form.querySelector(".quiet").contains(document.activeElement)) {
    form.querySelector(".quiet").replaceWith(quiet);
  }
  // Another collection may take photos where this one did not.
  form.querySelector(".pick")?.remove();
  const pick = theirs.querySelector(".pick");
  if (pick) form.querySelector(".go").before(pick);
  const typed = page.getElementById("q");
  if (document.activeElement !== box) box.value = typed.value;
  box.placeholder = typed.placeholder;
  const address = new URL(url);
  if (address.href !== location.href) {
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }
  for (const link of ["lang", "theme"]) {
    const fromPage = page.getElementById(link);
    if (fromPage) document.getElementById(link).href = fromPage.getAttribute("href");
  }
  say(document.getElementById("summary")?.textContent ?? results.querySelector("h2")?.textContent ?? "");
}

/** The address that the form as it stands asks for. */
function address() {
  const data = new FormData(form);
  const url = new URL("/", location);
  const kept = new URL(location).searchParams;
  for (const name of ["c", "q", "tag", "in", "since", "until"]) {
    const value = data.get(name)?.trim();
    if (value) url.searchParams.set(name, value);
  }
  // A photo or an item belongs to the collection that was asked.
  if ((kept.get("c") ?? data.get("c")) !== data.get("c")) return url.href;
  // Photos with captions are asked by picture and words together; else words take the photo's place.
  const alone = !data.get("q")?.trim() || data.has("both");
  if (data.get("kept") && alone) url.searchParams.set("photo", data.get("kept"));
  else if (kept.has("item") && alone) {
    url.searchParams.set("item", kept.get("item"));
  }
  return url.href;
}

function byPhoto(photo) {
  const data = new FormData(form);
  data.set("photo", photo, photo.name || "photo");
  if (!data.has("both")) data.set("q", (box.value = ""));
  data.delete("kept");
  // Asked of questions and answers, a photo is searched where photos are.
  if (!form.querySelector("#file")) data.set("c", form.dataset.photos);
  document.activeElement?.blur();
  return show(form.action, { method: "POST", body: data });
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    show(address());
  });
  let pause;
  box.addEventListener("input", (event) => {
    clearTimeout(pause);
    if (event.isComposing) return;
    // Typing refines one question: the address follows, the history does not fill up.
    pause = setTimeout(() => show(address(), {}, false), 250);
  });
  box.addEventListener("compositionend", () => box.dispatchEvent(new Event("input")));
  form.addEventListener("change", (event) => {
    if (event.target.id === "file") {
      if (event.target.files[0]) byPhoto(event.target.files[0]);
    } else if (event.target !== box) {
      show(address());
    }
  });
  window.addEventListener("popstate", () => show(location.href, {}, false).then(() => (box.value = new URL(location).searchParams.get("q") ?? "")));
  // "More like this", chips and pages of results are links; following them here keeps the page in place.
  document.getElementById("main").addEventListener("click", (event) => {
    const link = event.target.closest?.("a.more, .examples a, .pager a, .chip a, .tags a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    box.value = "";
    box.blur();
    show(link.href).then(() => {
      box.value = new URL(location).searchParams.get("q") ?? "";
      scrollTo({ top: 0 });
    });
  });

  const takesPhotos = () => form.querySelector("#file") || form.dataset.photos;
  let depth = 0;
  const files = (event) => takesPhotos() && event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => files(event) && (depth++, document.body.classList.add("over")));
  addEventListener("dragleave", (event) => files(event) && --depth <= 0 && document.body.classList.remove("over"));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("over");
    if (event.dataTransfer.files[0]) byPhoto(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const photo = takesPhotos() && [...event.clipboardData.files].find((f) => f.type.startsWith("image/"));
    if (!photo) return;
    event.preventDefault();
    byPhoto(photo);
  });
}
