// The jobs page, live: the server says which jobs changed, and each is drawn again as the server draws it.
import { say } from "./app.js";

const list = document.getElementById("jobs");
const seen = new Map([...list.children].map((job) => [job.id, job.dataset.state]));

const events = new EventSource("/jobs/events");
events.addEventListener("job", (event) => {
  const fresh = new DOMParser().parseFromString(event.data, "text/html").querySelector(".job");
  const old = document.getElementById(fresh.id);
  document.getElementById("nojobs").hidden = true;
  // A list of rejects that a reader has open, or a button in focus, stays.
  if (old?.querySelector(".rejects[open]")) fresh.querySelector(".rejects")?.setAttribute("open", "");
  const held = old?.contains(document.activeElement) && document.activeElement.matches("button");
  if (old) old.replaceWith(fresh);
  else list.prepend(fresh);
  if (held) fresh.querySelector("button, a")?.focus();
  if (seen.get(fresh.id) !== fresh.dataset.state) {
    say(`${fresh.querySelector("h2").textContent}: ${fresh.querySelector(".badge").textContent}`);
  }
  seen.set(fresh.id, fresh.dataset.state);
});
