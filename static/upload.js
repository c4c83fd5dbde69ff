// Uploads of a folder, of files or of a table: one request per file, a few in flight, progress, and what was rejected.
import { ask, said, say } from "./app.js";

const IN_FLIGHT = 4;
const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|dib|tiff?|hei[cf]s?|hif)$/i;
const TABLE = /\.(csv|tsv|jsonl)$/i;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
const number = new Intl.NumberFormat(document.documentElement.lang);

function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) (bytes /= 1000), at++;
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: units[at], unitDisplay: "short", maximumFractionDigits: bytes < 10 ? 1 : 0 }).format(bytes);
}

function duration(seconds) {
  const unit = seconds < 90 ? "second" : seconds < 5400 ? "minute" : "hour";
  const value = seconds / { second: 1, minute: 60, hour: 3600 }[unit];
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(value);
}

for (const form of document.querySelectorAll("form.upload")) attach(form);

function attach(form) {
  const room = form.querySelector(".uploading");
  const part = (name) => room.querySelector(name);
  const bar = part("progress");
  // The server knows a table of captions by its columns, and leaves other tables out.
  const wanted = form.dataset.kind === "faq" ? TABLE : { test: (path) => PICTURE.test(path) || /\.(csv|tsv)$/i.test(path) };
  let plan = [];
  let running = null;

  form.addEventListener("submit", (event) => event.preventDefault());
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => choose([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))));
  }
  form.addEventListener("dragover", (event) => (event.preventDefault(), form.classList.add("over")));
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", async (event) => {
    event.preventDefault();
    form.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    choose((await Promise.all(entries.map((entry) => walk(entry)))).flat());
  });
  part(".begin").addEventListener("click", () => send());
  part(".stop").addEventListener("click", () => running && ((running.stopped = true), ask(`/api/v1/jobs/${running.job}/cancel`, { method: "POST" }).catch(() => {})));
  addEventListener("beforeunload", (event) => running && (event.preventDefault(), (event.returnValue = room.dataset.leave)));

  /** Says what will be sent before anything is. */
  function choose(files) {
    if (running) return;
    plan = files.filter(({ path }) => wanted.test(path));
    const skipped = files.length - plan.length;
    const bytes = plan.reduce((sum, { file }) => sum + file.size, 0);
    let text = plan.length ? fill(room.dataset.chosen, { files: number.format(plan.length), size: size(bytes) }) : room.dataset.none;
    if (skipped && plan.length) text += " " + fill(room.dataset.skipped, { skipped: number.format(skipped) });
    room.hidden = false;
    part(".plan").textContent = text;
    part(".begin").hidden = !plan.length;
    part(".after").hidden = true;
    part(".state").textContent = "";
    bar.hidden = true;
    say(text);
  }

  async function send() {
    const root = plan[0].path.includes("/") ? plan[0].path.split("/")[0] : "uploads";
    const prefix = form.querySelector("[name=prefix]").value.trim() || undefined;
    const list = part(".rejects ul");
    list.replaceChildren();
    part(".rejects").hidden = true;
    part(".begin").hidden = true;
    part(".stop").hidden = false;
    part(".after").hidden = true;
    bar.hidden = false;
    bar.value = 0;
    said();
    running = { stopped: false, done: 0, began: performance.now() };
    try {
      const opened = { root, prefix, files: plan.length, kind: form.dataset.kind };
      const { job } = await ask(form.dataset.api, { method: "POST", body: JSON.stringify(opened), headers: { "content-type": "application/json" } });
      running.job = job;
      document.dispatchEvent(new Event("job-began"));
      const queue = plan.slice();
      const worker = async () => {
        for (let next; !running.stopped && (next = queue.shift()); ) await one(next, { job, root, prefix }, list);
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      const report = running.stopped ? null : await ask(`/api/v1/jobs/${job}/finish`, { method: "POST" });
      // What captions could not be given is known only now.
      for (const r of report?.rejected ?? []) if (/:\d+$/.test(r.path)) await reject(list, r);
      end(report);
    } catch (error) {
      if (running.job) ask(`/api/v1/jobs/${running.job}/cancel`, { method: "POST" }).catch(() => {});
      await fail(error);
    } finally {
      running = null;
      part(".stop").hidden = true;
    }
  }

  /** Sends one file. What is wrong with it is listed; what is wrong with the upload stops all. */
  async function one({ file, path }, { job, root, prefix }, list) {
    const data = new FormData();
    data.append("job", job);
    data.append("root", root);
    if (prefix) data.append("prefix", prefix);
    // A file name in a form loses quotes and newlines; this does not.
    data.append("path", encodeURIComponent(path));
    data.append("file", file, "file");
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          const report = await ask(form.dataset.api, { method: "POST", body: data });
          for (const r of report.rejected ?? []) await reject(list, r);
          break;
        } catch (error) {
          if (error.status !== 429 || attempt > 20) throw error;
          await new Promise((go) => setTimeout(go, 500 * (attempt + 1)));
        }
      }
    } catch (error) {
      // A stopped upload takes no more files; that is no fault of this one.
      if (running.stopped) return;
      if (error.code === "key.collides" || !error.status || error.status >= 500) throw error;
      await reject(list, { path, code: error.code, reason: error.message });
    }
    running.done++;
    bar.value = running.done / plan.length;
    const rate = running.done / ((performance.now() - running.began) / 1000);
    const values = { done: number.format(running.done), total: number.format(plan.length), rate: rate < 10 ? rate.toFixed(1) : number.format(Math.round(rate)), left: duration((plan.length - running.done) / rate) };
    part(".state").textContent = fill(room.dataset.running, values);
  }

  async function reject(list, { path, code, reason }) {
    reason = await said({ code, message: reason });
    const line = document.createElement("li");
    for (const [tag, text, kind] of [["span", path, "path"], ["span", reason, ""], ["code", code, ""]]) {
      const piece = document.createElement(tag);
      piece.textContent = text ?? "";
      if (kind) piece.className = kind;
      line.append(piece);
    }
    list.append(line);
    part(".rejects").hidden = false;
  }

  function end(report) {
    const values = Object.fromEntries(["indexed", "replaced", "unchanged"].map((name) => [name, number.format(report?.[name] ?? 0)]));
    values.rejected = number.format(Math.max(report?.rejected?.length ?? 0, part(".rejects ul").children.length));
    const text = report ? fill(room.dataset.done, values) : fill(room.dataset.failed, { why: part(".stop").textContent });
    part(".state").textContent = text;
    part(".after").hidden = false;
    part(".rejects").open = true;
    document.dispatchEvent(new Event("job-began"));
    say(text);
  }

  async function fail(error) {
    const why = await said(error);
    const text = error.code === "key.collides" ? `${why} ${room.dataset.collides}` : fill(room.dataset.failed, { why });
    part(".state").textContent = text;
    part(".begin").hidden = false;
    if (error.code === "key.collides") {
      const prefix = form.querySelector(".prefix");
      prefix.open = true;
      const field = prefix.querySelector("input");
      field.value ||= plan[0].path.includes("/") ? plan[0].path.split("/")[0] : "2";
      field.focus();
    }
    say(text);
  }
}

/** All files below what was dropped. */
async function walk(entry, before = "") {
  const path = before + entry.name;
  if (entry.isFile) return [{ file: await new Promise((good, bad) => entry.file(good, bad)), path }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!some.length) break;
    for (const child of some) found.push(...(await walk(child, path + "/")));
  }
  return found;
}
