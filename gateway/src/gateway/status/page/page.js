// Shows what /status/events tells. Everything from outside becomes text, never markup.
"use strict";

const SILENT_MILLISECONDS = 13_000; // two heartbeats and a bit
const RETRY_MILLISECONDS = 1_000;
const NAMES = { c: "Claude", l: "the local model", n: "nobody", ".": "not known" };
const HEADLINES = { claude: "Claude is answering", local: "The small local model is answering", none: "Nobody can answer right now" };
const get = (id) => document.getElementById(id);
let heardAt = 0;
let source = null;
let latest = null;

function write(id, text) {
  const element = get(id);
  if (element.textContent !== text) element.textContent = text;
}

function show(id, visible) {
  get(id).hidden = !visible;
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function day(seconds) {
  const date = new Date(seconds * 1000);
  const today = new Date().toDateString() === date.toDateString();
  return today ? "" : date.toLocaleDateString([], { day: "numeric", month: "short" }) + ", ";
}

function ago(seconds) {
  const past = Math.max(0, Date.now() / 1000 - seconds);
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86_400) return `${Math.floor(past / 3600)} h ${Math.floor((past % 3600) / 60)} min ago`;
  return `${Math.floor(past / 86_400)} d ago`;
}

function change(event, never) {
  if (!event) return never;
  return `${day(event.at)}${clock(event.at)}, ${ago(event.at)}`;
}

function firstWords(traffic) {
  const seconds = traffic.first_token_seconds;
  return seconds === null ? "–" : `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

function drawDay(of) {
  const strip = get("day");
  if (strip.dataset.slots === of.slots) return;
  strip.dataset.slots = of.slots;
  strip.replaceChildren(...[...of.slots].map((letter) => {
    const bar = document.createElement("span");
    if (letter !== ".") bar.className = letter;
    return bar;
  }));
  const hours = (letter) => ([...of.slots].filter((slot) => slot === letter).length * of.slot_seconds) / 3600;
  const said = ["c", "l", "n", "."].filter((letter) => hours(letter)).map((letter) => `${NAMES[letter]}: ${hours(letter)} h`);
  strip.setAttribute("aria-label", `Who answered in the last 24 hours, the worst of each quarter of an hour. ${said.join(", ")}.`);
}

function headlineOf(status) {
  return status.words ? status.words.headline : HEADLINES[status.active_backend];
}

function render(status) {
  latest = status;
  document.body.dataset.brain = status.active_backend;
  const headline = headlineOf(status);
  write("headline", headline);
  document.title = `${headline} · Pilot Light`;
  write("model", status.model || "");
  show("model", Boolean(status.model));
  show("since", true);
  if (status.words) {
    write("what", status.words.what);
    write("do", status.words.do);
  }
  show("why", Boolean(status.words) && status.active_backend !== "claude");
  const full = Boolean(status.day);
  for (const id of ["day-section", "facts-section", "ask-section"]) show(id, full);
  show("sign", !full);
  if (full) {
    drawDay(status.day);
    write("day-from", clock(status.day.ends_at - 86_400));
    show("kept", status.day.kept !== "disk");
    const queue = status.local.queue_depth;
    write("parachute", status.local.ready ? `ready: ${status.local.model}` : "not ready");
    write("queue", !status.local.ready ? "–" : queue ? `${queue} waiting or running` : "empty");
    for (const brain of ["claude", "local"]) {
      write(`${brain}-requests`, status.traffic[brain].requests.toLocaleString());
      write(`${brain}-first`, firstWords(status.traffic[brain]));
    }
    show("unanswered", status.nobody_requests > 0);
    write("unanswered", `Nobody could answer ${status.nobody_requests} of the requests.`);
    show("held-back", status.refused_side_tasks > 0);
    write("held-back", `Held back for Claude alone, and refused: ${status.refused_side_tasks}.`);
  }
  tellTimes();
}

function tellTimes() {
  if (!latest) return;
  const since = `since ${day(latest.since)}${clock(latest.since)}`;
  const lostIt = document.body.dataset.contact === "lost";
  write("since", lostIt ? `Last known: ${headlineOf(latest)}, ${since}` : `${since}, ${ago(latest.since)}`.replace(", just now", ""));
  if (!latest.day) return;
  write("failover", change(latest.last_failover, "none on record"));
  write("failback", change(latest.last_failback, "none on record"));
}

function heard() {
  heardAt = Date.now();
  if (document.body.dataset.contact === "live") return;
  document.body.dataset.contact = "live";
  write("contact", "Live");
  show("lost", false);
  write("lost", "");
  if (latest) render(latest);
}

function lost() {
  if (document.body.dataset.contact === "lost") return;
  document.body.dataset.contact = "lost";
  write("contact", "No contact");
  const when = heardAt ? ` What you see is from ${clock(heardAt / 1000)}.` : "";
  write("lost", `I have lost contact with Pilot Light.${when} I keep trying, and this goes away by itself.`);
  show("lost", true);
  write("headline", "No contact");
  document.title = "No contact · Pilot Light";
  show("model", false);
  show("why", false);
  show("since", Boolean(latest));
  tellTimes();
}

function listen() {
  if (source) source.close();
  source = new EventSource("/status/events");
  source.addEventListener("status", (event) => {
    heard();
    render(JSON.parse(event.data));
  });
  source.addEventListener("beat", heard);
  source.addEventListener("error", () => {
    lost();
    // The browser tries again by itself, unless the answer was an error: then it gives up.
    if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MILLISECONDS);
  });
}

async function again() {
  try {
    const answer = await fetch("/status");
    if (answer.status === 401) return location.reload(); // the key has changed: the edge asks for it
  } catch {
    // Nobody there: the next try says so again.
  }
  return listen();
}

setInterval(() => {
  if (heardAt && Date.now() - heardAt > SILENT_MILLISECONDS) {
    lost();
    heardAt = Date.now(); // one try per silence
    listen();
  }
}, 1_000);
setInterval(tellTimes, 10_000);

async function ask(question) {
  const answer = get("answer");
  answer.textContent = "";
  answer.setAttribute("aria-busy", "true"); // read out once, when it is whole
  write("answered-by", "Asking …");
  show("answer-box", true);
  const reply = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "pilot", stream: true, max_tokens: 300, messages: [{ role: "user", content: question }] }),
  });
  if (!reply.ok) {
    const error = await reply.json().catch(() => null);
    throw new Error(error?.error?.message || `The answer was an error (${reply.status}). Ask again.`);
  }
  const by = reply.headers.get("X-Served-By") === "claude" ? "Claude" : "the local model";
  const model = reply.headers.get("X-Model");
  write("answered-by", `${by} is answering …`);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let done = false;
  for (;;) {
    const part = await reader.read();
    if (part.done) break;
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: [DONE]")) done = true;
      if (!line.startsWith("data: {")) continue;
      const chunk = JSON.parse(line.slice(6));
      if (chunk.error) throw new Error(chunk.error.message);
      answer.append(chunk.choices?.[0]?.delta?.content || "");
    }
  }
  if (!done) throw new Error("The answer broke off. Ask again.");
  write("answered-by", `Answered by ${by}${model ? ` (${model})` : ""}.`);
}

get("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = get("send");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await ask(get("question").value);
  } catch (error) {
    write("answered-by", error instanceof TypeError ? "Pilot Light cannot be reached just now. Ask again in a moment." : error.message);
  } finally {
    get("answer").removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
  }
});

listen();
