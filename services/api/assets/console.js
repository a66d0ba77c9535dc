// The console works without this. It keeps panels true while somebody looks at them, shows times
// in local time on hover, and sends no form twice.
"use strict";

const REST_MS = 30000;

/** Local time as the title of every time; the text stays UTC. */
function tellLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = `${at.toLocaleString()} in your time zone`;
  }
}

/** What is shown only in some states of the job. */
function followState(state) {
  for (const part of document.querySelectorAll("[data-show]")) {
    part.hidden = !part.dataset.show.split(" ").includes(state);
  }
  for (const part of document.querySelectorAll("[data-hide]")) {
    part.hidden = part.dataset.hide.split(" ").includes(state);
  }
}

/** The sentence that a screen reader hears when it changes; nothing else is read out. */
function announcer() {
  const place = document.createElement("p");
  place.className = "unseen";
  place.setAttribute("role", "status");
  document.querySelector("main").append(place);
  let said;
  return (sentence) => {
    if (said !== undefined && said !== sentence) place.textContent = sentence;
    said = sentence;
  };
}

function show(panel, html, say) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  panel.replaceChildren(...fresh.body.childNodes);
  tellLocalTimes(panel);
  const sentence = panel.querySelector("[data-say]");
  if (!sentence) return;
  say(sentence.textContent.replace(/\s+/g, " ").trim());
  if (sentence.dataset.state) followState(sentence.dataset.state);
}

function banner(text, link) {
  if (document.querySelector(".banner")) return;
  const note = document.createElement("p");
  note.className = "banner notice";
  note.setAttribute("role", "alert");
  note.append(text);
  if (link) {
    const to = document.createElement("a");
    to.href = location.href;
    to.textContent = link;
    note.append(" ", to);
  }
  document.querySelector("main").prepend(note);
}

async function keepTrue(panel) {
  const every = Number(panel.dataset.every);
  const say = announcer();
  const first = panel.querySelector("[data-say]");
  if (first) say(first.textContent.replace(/\s+/g, " ").trim());
  let wait = every;
  let last = "";
  for (;;) {
    await new Promise((done) => setTimeout(done, wait));
    if (document.hidden) continue;
    try {
      const answer = await fetch(panel.dataset.live, {
        credentials: "same-origin",
        redirect: "error",
        signal: AbortSignal.timeout(10000),
      });
      if (answer.status === 401) {
        banner("Your session has ended.", "Sign in again");
        return;
      }
      if (answer.status === 404) {
        banner("What this page shows is gone.", "Reload");
        return;
      }
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      const html = await answer.text();
      if (html !== last) show(panel, html, say);
      last = html;
      wait = every;
    } catch {
      // The server is away: what is shown stays, and is asked for less often.
      wait = Math.min(wait * 2, REST_MS);
    }
  }
}

/** A second click sends nothing; the browser's back button finds a form that works again. */
function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
  window.addEventListener("pageshow", () => {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  });
}

tellLocalTimes(document);
document.querySelector(".summary")?.focus();
document.querySelectorAll("form[data-once]").forEach(sendOnce);
document.querySelectorAll("[data-live]").forEach(keepTrue);
