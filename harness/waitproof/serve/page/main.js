/* The page of `waitproof serve`: the live table of tasks, the connection, and what concerns all tasks.

The server sends the newest tasks that match the search, 200 at most, and each of them whole whenever it changes,
so a reload or a new connection loses nothing. Events only mark rows as changed: words are written once a
frame, and polls are drawn only in rows that can be seen. */

import { ACTIONS } from "./actions.js";
import { detail } from "./detail.js";
import { api, byId, copyButton, el, escaped, mistakeText, plural, say, seconds, setText } from "./dom.js";
import { newTask } from "./new.js";
import { Row, stepText } from "./row.js";
import { KINDS, markOf } from "./timeline.js";

const TICK_MS = 250; // how often time goes on in the drawings
const CALM_TICK_MS = 1000; // for people who prefer less motion
const FIND_PAUSE_MS = 200;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** What the page knows. */
const state = {
  status: null,
  meanings: {}, // of the contract's statuses
  rows: new Map(), // by task id
  count: 0,
  progress: {},
  forgotten: 0, // tasks that the server has dropped to stay within its limits
  find: "",
  isConnected: false,
  isLoaded: false, // the first event has come
};

// --- rows that can be seen, and how wide they are

const watcher = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const row = target.row;
    row.isVisible = isIntersecting;
    if (isIntersecting) paint();
  }
}, { rootMargin: "200px" });

let timelineWidth = 320;
new ResizeObserver(() => {
  measure();
  for (const row of state.rows.values()) row.isStale = true;
  paint();
}).observe(byId("list"));

function measure() {
  const first = byId("rows").querySelector(".cell-timeline");
  if (!first) return;
  const style = getComputedStyle(first);
  timelineWidth = first.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}

// --- drawing, once a frame

let frame = 0;
let isOrderStale = false;
function paint() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (isOrderStale) arrange();
    for (const row of state.rows.values()) {
      row.draw(timelineWidth);
    }
    detail.draw();
  });
}

/** Put the rows in order, the newest first, without moving any that is in its place. */
function arrange() {
  isOrderStale = false;
  const body = byId("rows");
  const rows = [...state.rows.values()].sort((a, b) => b.task.number - a.task.number);
  let next = body.firstChild;
  const hadRows = next !== null;
  for (const row of rows) {
    if (row.root === next) next = next.nextSibling;
    else body.insertBefore(row.root, next);
  }
  if (!hadRows && rows.length) measure();
  const hidden = (state.find ? 0 : state.count) - rows.length;
  const more = byId("more");
  more.hidden = hidden <= 0 && !(state.find && rows.length >= 200);
  setText(
    more,
    hidden > 0
      ? `${plural(hidden, "older task")} not shown; search for ${hidden === 1 ? "it" : "them"} by id or scenario.`
      : "These are the newest 200 that match; there may be more.",
  );
  const { progress } = state;
  const words = ["polling", "idle", "done", "stopped"].filter((word) => progress[word]);
  setText(
    byId("tally"),
    [
      state.count ? `${plural(state.count, "task")}: ${words.map((word) => `${progress[word]} ${word}`).join(", ")}` : "",
      state.forgotten ? `${plural(state.forgotten, "older task")} dropped` : "",
    ].filter(Boolean).join("; "),
  );
  document.title = progress.polling ? `(${progress.polling}) waitproof serve` : "waitproof serve";
  byId("tasks").hidden = byId("legend").hidden = rows.length === 0;
  showEmpty(rows.length === 0 && state.isLoaded);
}

function showEmpty(isEmpty) {
  const place = byId("empty");
  place.hidden = !isEmpty;
  const key = `${state.find}|${state.count > 0}|${state.status?.base_url}`;
  if (!isEmpty || place.dataset.key === key) return;
  place.dataset.key = key;
  if (state.find && state.count) {
    place.replaceChildren(el("h2", {}, "No task matches"), el("p", {}, "Search for part of an id or of a scenario's name."));
    return;
  }
  const [first] = Object.entries(state.status?.snippets ?? {});
  place.replaceChildren(
    el("h2", {}, "No tasks yet"),
    el("p", {}, "A task appears here as soon as a client polls it, and behaves like the scenario that its id stands for:"),
    first ? snippet(...first) : "",
    el(
      "p",
      {},
      "Make this call a few times and watch its polls here, or point your SDK at the base URL above. ",
      state.status?.has_numbers
        ? ""
        : "Add ~ and any text to the name for another task of the same scenario. ",
      "“New task” makes one of any scenario, or with your own steps.",
    ),
  );
}

// --- what the server sends

let stream = null;
let reopening = 0;
function connect() {
  stream?.close();
  clearTimeout(reopening);
  stream = new EventSource(`/_waitproof/events${state.find ? `?find=${escaped(state.find)}` : ""}`);
  const mine = stream;
  mine.addEventListener("open", () => {
    showConnection(true);
    learnStatus();
  });
  mine.addEventListener("error", () => {
    showConnection(false);
    if (mine.readyState === EventSource.CLOSED && mine === stream) reopening = setTimeout(connect, 2000);
  });
  mine.addEventListener("tasks", (event) => takeTasks(JSON.parse(event.data)));
  mine.addEventListener("broken", (event) => showBroken(JSON.parse(event.data)));
}

function takeTasks(changes) {
  const had = state.rows.size;
  const all = changes.all ? new Set(changes.tasks.map((task) => String(task.task_id))) : null;
  const gone = all ? [...state.rows.keys()].filter((id) => !all.has(id)) : changes.gone.map(String);
  for (const id of gone) forget(id);
  for (const task of changes.tasks) {
    const id = String(task.task_id);
    const row = state.rows.get(id);
    if (row) {
      isOrderStale ||= row.task.number !== task.number;
      row.take(task);
    } else {
      const fresh = new Row(task, state, (id) => detail.open(id));
      fresh.root.row = fresh;
      state.rows.set(id, fresh);
      watcher.observe(fresh.root);
      isOrderStale = true;
    }
  }
  state.count = changes.count;
  state.progress = changes.progress;
  state.forgotten = changes.forgotten;
  isOrderStale = true;
  state.isLoaded = true;
  for (const id of gone) if (!state.rows.has(id)) detail.gone(id);
  for (const task of changes.tasks) detail.take(task);
  if (had !== state.rows.size) detail.mark();
  paint();
}

function forget(id) {
  const row = state.rows.get(id);
  if (!row) return;
  watcher.unobserve(row.root);
  if (row.root.contains(document.activeElement)) byId("tasks").focus();
  row.root.remove();
  state.rows.delete(id);
}

function showConnection(isConnected) {
  state.isConnected = isConnected;
  byId("lost").hidden = isConnected;
  setText(byId("connection-word"), isConnected ? "live" : "connection lost");
  byId("connection").classList.toggle("is-live", isConnected);
  byId("connection").classList.toggle("is-lost", !isConnected);
  document.body.classList.toggle("is-lost", !isConnected);
  detail.connected(isConnected);
}

function showBroken(entries) {
  const place = byId("broken");
  place.hidden = entries.length === 0;
  place.replaceChildren(
    ...(entries.length
      ? [el("h2", {}, entries.length === 1 ? "A scenario file failed to load" : `${entries.length} scenario files failed to load`)]
      : []),
    ...entries.map((entry) =>
      el(
        "details",
        { open: entries.length <= 3 },
        el(
          "summary",
          {},
          `${entry.id}: ${plural(entry.mistakes.length, "mistake")}; ` +
            (entry.steps.length ? "the previous version stays in use" : "no task can be made from it"),
        ),
        ...entry.mistakes.map((mistake) => mistakeText(mistake)),
      ),
    ),
  );
}

// --- the header

async function learnStatus() {
  let status;
  try {
    status = await api("GET", "/status");
  } catch {
    return; // the stream shows whether the server is there
  }
  if (JSON.stringify(status) === JSON.stringify(state.status)) return;
  const isFirst = state.status === null;
  state.status = status;
  state.meanings = status.statuses;
  for (const button of document.querySelectorAll('[data-all="fail"]')) button.hidden = !status.can_fail;
  setText(byId("suite"), status.title || status.suite);
  setText(byId("base-url"), status.base_url);
  if (isFirst) byId("base-copy").replaceWith(copyButton(() => state.status.base_url, "Copy the base URL"));
  byId("snippets").replaceChildren(...Object.entries(status.snippets).map(([name, text]) => snippet(name, text)));
  const { limits, defaults } = status;
  const judgedBy = [
    `an interval of ${seconds(defaults.poll_interval_s)}`,
    ...(defaults.timeout_s === null ? [] : [`a timeout of ${seconds(defaults.timeout_s)}`]),
    ...(defaults.max_polls === null ? [] : [`at most ${plural(defaults.max_polls, "poll")}`]),
  ].join(" and ");
  setText(
    byId("limits"),
    `waitproof ${status.waitproof} keeps at most ${limits.tasks.toLocaleString("en")} tasks: a finished one for ` +
      `${seconds(limits.finished_s)} after its last request, an unfinished one for ${seconds(limits.idle_s)}. ` +
      `Waits are judged by ${judgedBy}, unless a scenario or an option sets others.`,
  );
  for (const row of state.rows.values()) row.isStale = true;
  isOrderStale = true;
  paint();
}

function snippet(name, text) {
  return el(
    "div",
    { class: "snippet" },
    el("span", { class: "label" }, name),
    el("pre", { tabindex: "0", "aria-label": `Call from ${name}` }, text),
    copyButton(() => text, `Copy the call from ${name}`),
  );
}

// --- what concerns all tasks

async function doToAll(action) {
  try {
    const { count } = await api("POST", `/actions/${action}`);
    say(`${plural(count, "task")} ${ACTIONS[action].done}.`);
  } catch (error) {
    say(error.message, true);
  }
}

for (const button of document.querySelectorAll("[data-all]")) {
  button.addEventListener("click", () => doToAll(button.dataset.all));
}
byId("delete-all").addEventListener("click", () => {
  setText(byId("delete-text"), `${plural(state.count, "task")} and their journals will be deleted. Later polls make new tasks.`);
  byId("delete-dialog").returnValue = "";
  byId("delete-dialog").showModal();
});
byId("delete-dialog").addEventListener("close", async () => {
  if (byId("delete-dialog").returnValue !== "yes") return;
  try {
    const { count } = await api("DELETE", "/tasks");
    say(`${plural(count, "task")} deleted.`);
  } catch (error) {
    say(error.message, true);
  }
});

let finding = 0;
byId("find").addEventListener("input", () => {
  clearTimeout(finding);
  finding = setTimeout(() => {
    state.find = byId("find").value.trim();
    connect();
  }, FIND_PAUSE_MS);
});
byId("new").addEventListener("click", () => newTask.open());
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the open task's
  byId("tasks").focus();
});

byId("rows").addEventListener("keydown", (event) => {
  const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target.closest("tr");
  if (!to || !row?.[to]) return;
  event.preventDefault();
  row[to].querySelector(".open").focus();
});

byId("legend").append(
  ...Object.entries(KINDS).map(([kind, word]) => el("li", {}, markOf(kind), word)),
  el("li", {}, el("span", { class: "legend-deadline", "aria-hidden": "true" }), "deadline"),
);

function tick() {
  if (!document.hidden && state.isConnected) paint();
  setTimeout(tick, calm.matches ? CALM_TICK_MS : TICK_MS);
}

// A browser opens six connections to a server: pages that nobody sees leave them to others.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.close();
  else connect();
});

newTask.made = (task) => detail.open(String(task.task_id));
detail.start({ state, rowOf: (id) => state.rows.get(id), stepText });
connect();
tick();
