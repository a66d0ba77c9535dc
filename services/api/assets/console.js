// The console works without this. It keeps panels true while somebody looks at them, follows the
// log, shows times in the reader's zone, and sends no form twice.
"use strict";

const POLL_MS = 4000;
const REST_MS = 30000;
const AGO_MS = 10000;
const AWAKE_MS = 300000;
const ROWS_MAX = 200;

/** A time span in the unit that fits, as the server writes it. */
function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** Says the time in the reader's zone on hover, and keeps "3 min ago" true. */
function tellTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = `${at.toLocaleString()} in your time zone, ${time.dateTime.replace("T", " ").replace("Z", " UTC")}`;
    if (!("ago" in time.dataset)) continue;
    const passed = Math.floor((Date.now() - at.getTime()) / 1000);
    if (Math.abs(passed) > 5) time.textContent = passed < 0 ? `in ${span(-passed)}` : `${span(passed)} ago`;
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

const words = (element) => element.textContent.replace(/\s+/g, " ").trim();

/** Puts new content into a panel; what the reader has opened there stays open. */
function show(panel, html) {
  if (panel.contains(document.activeElement) && panel.matches(":focus-within")) return;
  const open = [...panel.querySelectorAll("details")].map((details) => details.open);
  const fresh = new DOMParser().parseFromString(html, "text/html");
  panel.replaceChildren(...fresh.body.childNodes);
  panel.querySelectorAll("details").forEach((details, index) => (details.open = open[index] === true));
  tellTimes(panel);
  const sentence = panel.querySelector("[data-say]");
  if (!sentence) return;
  panel.say ??= announcer();
  panel.say(words(sentence));
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

const ended = () => banner("Your session has ended.", "Sign in again");

/** Where streams do not come through, panels are asked for one by one. */
async function poll(feed, panel) {
  let wait = POLL_MS;
  for (;;) {
    await new Promise((done) => setTimeout(done, wait));
    if (document.hidden) continue;
    try {
      const answer = await fetch(`${feed}/${panel.dataset.live}`, {
        credentials: "same-origin",
        redirect: "error",
        signal: AbortSignal.timeout(10000),
      });
      if (answer.status === 401) return ended();
      if (answer.status === 404) return banner("What this page shows is gone.", "Reload");
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      show(panel, await answer.text());
      wait = POLL_MS;
    } catch {
      // The server is away: what is shown stays, and is asked for less often.
      wait = Math.min(wait * 2, REST_MS);
    }
  }
}

/** A stream that is open only while somebody looks: browsers allow few of them a host. */
function stream(url, listeners, refused) {
  let source;
  const open = () => {
    source = new EventSource(url());
    for (const [name, listener] of Object.entries(listeners)) source.addEventListener(name, listener);
    source.addEventListener("ended", () => {
      close();
      document.removeEventListener("visibilitychange", look);
      ended();
    });
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) {
        document.removeEventListener("visibilitychange", look);
        refused();
      }
    });
  };
  const close = () => {
    source?.close();
    source = undefined;
  };
  const look = () => (document.hidden ? close() : source ?? open());
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    close();
  };
}

/** Keeps all panels of the page true, over one connection. */
function keepTrue(feed) {
  const panels = [...document.querySelectorAll("[data-live]")];
  for (const panel of panels) {
    const sentence = panel.querySelector("[data-say]");
    if (!sentence) continue;
    panel.say = announcer();
    panel.say(words(sentence));
  }
  const asked = panels.map((panel) => `panel=${panel.dataset.live}`).join("&");
  const listen = ({ data }) => {
    const { panel, html } = JSON.parse(data);
    const shown = panels.find((one) => one.dataset.live === panel);
    if (shown) show(shown, html);
  };
  stream(() => `${feed}/watch?${asked}`, { panel: listen }, () => panels.forEach((panel) => poll(feed, panel)));
}

/** New events come in at the top while the button is pressed. */
function follow(button) {
  const table = document.querySelector("table.events");
  const note = document.querySelector("[data-followed]");
  let stop;
  let count = 0;
  const tell = (text) => {
    note.hidden = false;
    note.textContent = text;
  };
  const rows = ({ data }) => {
    const { rows, more } = JSON.parse(data);
    const holder = document.createElement("template");
    holder.innerHTML = `<table><tbody>${rows}</tbody></table>`;
    const fresh = [...holder.content.querySelectorAll("tr")];
    fresh.forEach((row) => row.classList.add("fresh"));
    tellTimes(holder.content);
    table.hidden = false;
    document.querySelector("[data-none]")?.remove();
    table.tBodies[0].prepend(...fresh);
    [...table.tBodies[0].rows].slice(ROWS_MAX).forEach((row) => row.remove());
    count += fresh.length + more;
    tell(`Following: ${count} new since you began.`);
  };
  const end = (text) => {
    stop?.();
    stop = undefined;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Follow live";
    tell(text);
  };
  button.addEventListener("click", () => {
    if (stop) return end(`Stopped; ${count} came.`);
    count = 0;
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop following";
    tell("Following: new events appear here.");
    stop = stream(() => button.dataset.follow, { rows }, () => end("The log cannot be followed now. Try again in a moment."));
  });
  button.hidden = false;
}

/** A second click sends nothing; the browser's back button finds a form that works again. */
function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (event.submitter?.matches("[data-try]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
  window.addEventListener("pageshow", () => {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  });
}

/** What was wrong before is so no more. */
function forgive(form) {
  document.querySelectorAll(".summary, .error").forEach((told) => told.remove());
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
}

/** Tries what is typed without leaving the page, so that a typed secret need not be typed again. */
function tryOut(button) {
  const place = document.querySelector("[data-tested]");
  button.form.addEventListener("submit", async (event) => {
    if (event.submitter !== button) return;
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    const label = button.textContent;
    button.textContent = "Sending …";
    try {
      const typed = new URLSearchParams(new FormData(button.form));
      const answer = await fetch(button.formAction, { method: "POST", body: typed, credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const told = page.querySelector(".tested, .summary, main .card");
      if (told?.matches(".tested")) forgive(button.form);
      place.replaceChildren(...(told ? [told] : []));
      place.firstElementChild?.setAttribute("tabindex", "-1");
      place.firstElementChild?.focus();
    } catch {
      place.textContent = "The server does not answer. Try again in a moment.";
    }
    button.textContent = label;
    button.removeAttribute("aria-disabled");
  });
}

function copyFrom(button) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    } catch {
      // Without leave to write it stays selected, to be copied by hand.
    }
  });
}

/** Typing is using: it keeps the session awake, as pages do. */
let awake = Date.now();
document.addEventListener("input", () => {
  if (Date.now() - awake < AWAKE_MS) return;
  awake = Date.now();
  fetch("/console/organization", { method: "HEAD", credentials: "same-origin" }).catch(() => {});
});

/** "/" goes to the search, as in most consoles. */
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("[data-search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
});

tellTimes(document);
setInterval(() => document.hidden || tellTimes(document), AGO_MS);
document.querySelector(".summary")?.focus();
document.querySelectorAll("form[data-once]").forEach(sendOnce);
document.querySelectorAll("[data-try]").forEach(tryOut);
document.querySelectorAll("[data-copy]").forEach(copyFrom);
document.querySelectorAll("[data-follow]").forEach(follow);
const feed = document.querySelector("[data-feed]");
if (feed) keepTrue(feed.dataset.feed);
