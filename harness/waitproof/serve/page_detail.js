/* The open task: its polls with what was asked and answered, its verdicts, and what can be done to it.

The table tells that it changed; then its journal and verdicts are asked for, at most twice a second. What the
reader has opened stays open. */

import { api, byId, copyButton, el, plural, say, seconds, setText, taskPath } from "./page_dom.js";
import { kindOf, markOf, Timeline, wordOf } from "./page_timeline.js";

const ASK_PAUSE_MS = 500;
const LOOK_PAUSE_MS = 1500; // for a task that the table does not show
const MAX_SHOWN = 200; // exchanges; a wait has rarely more
const TROUBLE = new Set(["FAIL", "ERROR", "WARN", "INCONCLUSIVE"]);
const FRAGMENT = "#task=";

const DONE = {
  advance: "moved on to the next step",
  complete: "completed",
  fail: "failed",
  stall: "stalled: its polls wait for an answer from now on",
  reset: "reset",
};
const HINTS = {
  advance: "Answer with the next step from now on",
  complete: "Answer that it has completed, with the result below if one is given",
  fail: "Answer that it has failed, with the error below if one is given",
  stall: "Accept polls and do not answer them",
  reset: "Begin anew at the first step, and forget its polls",
};

class Detail {
  #page = null;
  #id = null;
  #task = null;
  #toldAt = 0;
  #isGone = false;
  #isDirty = false;
  #asking = false;
  #isStale = false;
  #askedAt = 0;
  #parts = null;
  #exchanges = new Map(); // by serial
  #verdictsKey = "";
  #timer = 0;

  /** Begin, with the page's own functions; open the task that the URL names. */
  start(page) {
    this.#page = page;
    addEventListener("hashchange", () => this.#follow());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#id === null || document.querySelector("dialog[open]")) return;
      if (event.target instanceof HTMLInputElement && event.target.type === "search" && event.target.value) return;
      event.preventDefault();
      this.close();
    });
    new ResizeObserver(() => this.#redraw()).observe(byId("detail"));
    setInterval(() => this.#look(), LOOK_PAUSE_MS);
    this.#follow();
  }

  open(id) {
    const fragment = FRAGMENT + encodeURIComponent(id.toWellFormed());
    if (location.hash === fragment) this.#follow();
    else location.hash = fragment; // the rest follows from the event
  }

  close() {
    history.pushState(null, "", location.pathname + location.search);
    const row = this.#page.rowOf(this.#id);
    this.#follow();
    (row?.open ?? byId("tasks")).focus();
  }

  #follow() {
    let id = null;
    if (location.hash.startsWith(FRAGMENT)) {
      try {
        id = decodeURIComponent(location.hash.slice(FRAGMENT.length));
      } catch {
        id = null; // a fragment that somebody cut
      }
    }
    if (id === this.#id && id !== null) {
      byId("detail").focus();
      return;
    }
    this.#id = id;
    this.#task = null;
    this.#isGone = false;
    this.#exchanges.clear();
    this.#verdictsKey = "";
    byId("detail").hidden = id === null;
    document.body.classList.toggle("has-detail", id !== null);
    this.mark();
    if (id === null) {
      byId("detail").replaceChildren();
      this.#parts = null;
      return;
    }
    this.#build();
    const row = this.#page.rowOf(id);
    if (row) this.take(row.task, row.toldAt);
    this.#isStale = true;
    this.#ask();
    byId("detail").scrollTop = 0;
    byId("detail").focus({ preventScroll: true });
  }

  /** Mark the open task's row. */
  mark() {
    for (const open of byId("rows").querySelectorAll("tr.is-open")) {
      open.classList.remove("is-open");
      open.querySelector(".open").removeAttribute("aria-current");
    }
    const row = this.#id === null ? null : this.#page.rowOf(this.#id);
    row?.root.classList.add("is-open");
    row?.open.setAttribute("aria-current", "true");
  }

  /** Take what the server told about some task. */
  take(task, toldAt = performance.now()) {
    if (String(task.task_id) !== this.#id) return;
    if (this.#task && task.number !== this.#task.number) this.#exchanges.clear();
    this.#task = task;
    this.#toldAt = toldAt;
    this.#isGone = false;
    this.#isDirty = true;
    this.#isStale = true;
    this.#ask();
  }

  /** The server has no such task any more, or the table does not show it. */
  gone(id) {
    if (id !== this.#id) return;
    this.#isStale = true;
    this.#ask();
  }

  connected(isConnected) {
    if (isConnected && this.#id !== null) {
      this.#isStale = true;
      this.#ask();
    }
  }

  draw() {
    if (!this.#parts || !this.#task) return;
    if (this.#isDirty) this.#show();
    else if (!(this.#page.state.isConnected && this.#task.progress === "polling")) return;
    const nowS = this.#task.now_s + (performance.now() - this.#toldAt) / 1000;
    this.#parts.timeline.draw(this.#task, this.#page.state.meanings, nowS, this.#parts.timelinePlace.clientWidth);
  }

  #redraw() {
    this.#isDirty = true;
    requestAnimationFrame(() => this.draw());
  }

  /** Look at a task that no event speaks of. */
  #look() {
    if (this.#id === null || document.hidden || this.#page.rowOf(this.#id) || this.#isGone) return;
    this.#isStale = true;
    this.#ask();
  }

  async #ask() {
    if (this.#asking || !this.#isStale || this.#id === null) return;
    const pause = this.#askedAt + ASK_PAUSE_MS - performance.now();
    if (pause > 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), pause);
      return;
    }
    this.#asking = true;
    this.#isStale = false;
    this.#askedAt = performance.now();
    const id = this.#id;
    const path = taskPath(id);
    try {
      const isTold = this.#page.rowOf(id) !== undefined;
      const [task, journal, verdicts] = await Promise.all([
        isTold ? null : api("GET", path),
        api("GET", `${path}/journal?newest=${MAX_SHOWN}`),
        api("GET", `${path}/verdicts`),
      ]);
      if (id !== this.#id) return;
      if (task) {
        this.#task = task;
        this.#toldAt = performance.now();
      }
      this.#isGone = false;
      this.#showExchanges(journal);
      this.#showVerdicts(verdicts.verdicts);
      this.#redraw();
    } catch (error) {
      if (id === this.#id && error.http === 404) {
        this.#isGone = true;
        this.#redraw();
        this.#show();
      }
    } finally {
      this.#asking = false;
      if (id !== this.#id) {
        this.#askedAt = 0;
        this.#isStale = true;
      }
      this.#ask();
    }
  }

  // --- what is shown

  #build() {
    const id = this.#id;
    const parts = {
      gone: el("p", { class: "banner is-warning", role: "status", hidden: true }),
      scenario: el("p", { class: "scenario" }),
      summary: el("p", { class: "summary-whole" }),
      facts: el("dl", { class: "facts" }),
      steps: el("ol", { class: "steps", "aria-label": "Steps" }),
      timelinePlace: el("div", { class: "timeline-place" }),
      timeline: new Timeline({ large: true }),
      payload: el("textarea", {
        id: "payload",
        class: "code",
        rows: "4",
        spellcheck: "false",
        autocomplete: "off",
        "aria-describedby": "payload-mistake payload-hint",
        input: () => this.#payload(),
      }),
      payloadMistake: el("p", { class: "field-mistake", id: "payload-mistake", role: "alert" }),
      verdicts: el("div", { class: "verdict-list" }),
      polls: el("div", { class: "exchanges" }),
      pollsTitle: el("h3", {}, "Requests"),
      more: el("p", { class: "hint", hidden: true }),
      empty: el("p", { class: "hint" }, "No poll has come yet."),
    };
    parts.timelinePlace.append(parts.timeline.root);
    parts.actions = Object.keys(HINTS).map((action) =>
      el(
        "button",
        { type: "button", title: HINTS[action], "data-action": action, click: () => this.#act(action) },
        action[0].toUpperCase() + action.slice(1),
      ),
    );
    parts.remove = el("button", { type: "button", class: "danger", "data-action": "delete", click: () => this.#remove() }, "Delete");
    const url = el("code", { class: "poll-url" });
    parts.url = url;
    byId("detail").replaceChildren(
      el(
        "header",
        {},
        el("h2", {}, id),
        copyButton(() => id, "Copy the task's id"),
        el("button", { type: "button", class: "quiet close", "aria-label": "Close the task", title: "Close (Escape)", click: () => this.close() }, "✕"),
      ),
      parts.gone,
      parts.scenario,
      parts.summary,
      el("div", { class: "base" }, url, copyButton(() => url.textContent, "Copy the URL to poll")),
      parts.facts,
      parts.steps,
      parts.timelinePlace,
      el("div", { class: "actions", role: "group", "aria-label": "Actions" }, ...parts.actions, parts.remove),
      el(
        "details",
        { class: "payload" },
        el("summary", {}, "Complete or fail with JSON of your own"),
        el("label", { for: "payload" }, "Result or error"),
        parts.payload,
        parts.payloadMistake,
        el("p", { class: "hint", id: "payload-hint" }, 'For Complete, a result such as {"channels": 2}; for Fail, an error such as {"type": "…", "description": "…"}. Empty: the scenario’s own.'),
      ),
      el("h3", {}, "Verdicts"),
      parts.verdicts,
      parts.pollsTitle,
      parts.empty,
      parts.polls,
      parts.more,
    );
    this.#parts = parts;
    this.#isDirty = true;
    this.#showVerdicts([]);
  }

  #show() {
    const parts = this.#parts;
    if (!parts) return;
    this.#isDirty = false;
    parts.gone.hidden = !this.#isGone;
    setText(
      parts.gone,
      this.#isGone
        ? this.#task
          ? "This task has gone: it was deleted, or nobody had asked for it for long. This is what was last seen."
          : "There is no task with this id: it has gone, or was never made."
        : "",
    );
    for (const button of [...parts.actions, parts.remove]) button.disabled = this.#isGone;
    const task = this.#task;
    if (!task) return;
    const { status } = this.#page.state;
    setText(parts.scenario, task.scenario === "inline" ? "written here" : task.scenario);
    setText(parts.summary, task.summary);
    if (status) {
      const [, path] = status.endpoint.split(" ");
      setText(parts.url, status.base_url + path.replace(/\{[^}]*\}/, () => encodeURIComponent(this.#id.toWellFormed())));
    }
    const facts = {
      Progress: task.progress,
      Step: this.#page.stepText(task),
      Polls: String(task.count),
      Interval: seconds(task.wait.poll_interval_s),
      Timeout: seconds(task.wait.timeout_s),
      Made: new Date(task.created).toLocaleTimeString(),
    };
    if (parts.facts.childElementCount === 0) {
      parts.facts.append(...Object.keys(facts).map((name) => el("div", {}, el("dt", {}, name), el("dd"))));
    }
    Object.values(facts).forEach((text, index) => setText(parts.facts.children[index].lastChild, text));
    const key = JSON.stringify(task.steps);
    if (parts.steps.dataset.key !== key) {
      parts.steps.dataset.key = key;
      parts.steps.replaceChildren(...task.steps.map((label) => el("li", {}, label)));
    }
    [...parts.steps.children].forEach((item, index) => {
      item.classList.toggle("is-now", index === task.step);
      if (index === task.step) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
  }

  #showVerdicts(verdicts) {
    const key = JSON.stringify(verdicts);
    if (key === this.#verdictsKey || !this.#parts) return;
    this.#verdictsKey = key;
    const wasOpen = new Map(
      [...this.#parts.verdicts.querySelectorAll("details")].map((each) => [each.dataset.requirement, each.open]),
    );
    const sorted = [...verdicts].sort((a, b) => TROUBLE.has(b.status) - TROUBLE.has(a.status));
    this.#parts.verdicts.replaceChildren(
      ...(sorted.length
        ? sorted.map((each) => verdictOf(each, wasOpen.get(each.requirement)))
        : [el("p", { class: "hint" }, "Nothing can be said yet: verdicts come when the wait is over.")]),
    );
  }

  #showExchanges(journal) {
    const parts = this.#parts;
    const answers = new Map(journal.answers.map((each) => [each.step, each]));
    const { meanings } = this.#page.state;
    const listed = new Set();
    const nodes = [];
    for (const each of [...journal.requests].reverse()) {
      listed.add(each.serial);
      let item = this.#exchanges.get(each.serial);
      if (!item) {
        item = new Exchange();
        this.#exchanges.set(each.serial, item);
      }
      item.take(each, answers.get(each.step), meanings);
      nodes.push(item.root);
    }
    for (const serial of this.#exchanges.keys()) if (!listed.has(serial)) this.#exchanges.delete(serial);
    let next = parts.polls.firstChild;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else parts.polls.insertBefore(node, next);
    }
    while (next) {
      const after = next.nextSibling;
      next.remove();
      next = after;
    }
    setText(parts.pollsTitle, journal.count ? `Requests (${journal.count.toLocaleString("en")}, the newest first)` : "Requests");
    parts.empty.hidden = journal.count > 0;
    parts.more.hidden = journal.count <= nodes.length;
    setText(parts.more, `${plural(journal.count - nodes.length, "older request")} not shown; the control API has them.`);
  }

  // --- what is done

  /** Return the JSON text in the field, "" for none; null with the mistake shown where it is none. */
  #payload() {
    const { payload, payloadMistake } = this.#parts;
    const text = payload.value.trim();
    let mistake = "";
    try {
      if (text) JSON.parse(text);
    } catch (error) {
      mistake = `This is no JSON: ${error.message}`;
    }
    setText(payloadMistake, mistake);
    payload.setAttribute("aria-invalid", String(mistake !== ""));
    return mistake ? null : text;
  }

  async #act(action) {
    let body;
    if (action === "complete" || action === "fail") {
      const text = this.#payload();
      if (text === null) {
        this.#parts.payload.focus();
        return;
      }
      // Spliced, not parsed: a number beyond 2^53 must arrive as it was written.
      if (text) body = `{"${action === "complete" ? "result" : "error"}": ${text}}`;
    }
    try {
      const task = await api("POST", `${taskPath(this.#id)}/actions/${action}`, body);
      this.take(task);
      this.#redraw();
      say(`${this.#id}: ${DONE[action]}.`);
    } catch (error) {
      say(error.message, true);
    }
  }

  async #remove() {
    try {
      await api("DELETE", taskPath(this.#id));
      say(`${this.#id}: deleted.`);
      this.close();
    } catch (error) {
      say(error.message, true);
    }
  }
}

function verdictOf(verdict, wasOpen) {
  const rows = ["expected", "seen", "explanation"].filter((name) => verdict[name]);
  return el(
    "details",
    { "data-requirement": verdict.requirement, open: wasOpen ?? TROUBLE.has(verdict.status) },
    el(
      "summary",
      {},
      el("span", { class: `verdict is-${verdict.status}` }, verdict.status.replace("_", " ")),
      el("span", { class: "requirement" }, verdict.requirement),
      el("span", { class: "level" }, verdict.level),
    ),
    el("dl", {}, ...rows.flatMap((name) => [el("dt", {}, name), el("dd", {}, verdict[name])])),
  );
}

/** One request with its answer; the whole of it is written when it is opened first. */
class Exchange {
  constructor() {
    this.name = el("span", { class: "exchange-name" });
    this.mark = el("span", { class: "exchange-mark" });
    this.word = el("span", { class: "exchange-word" });
    this.at = el("span", { class: "exchange-at" });
    this.took = el("span", { class: "exchange-took" });
    this.body = el("div", { class: "exchange-body" });
    this.root = el(
      "details",
      { toggle: () => this.#write() },
      el("summary", {}, this.name, this.mark, this.word, this.at, this.took),
      this.body,
    );
    this.key = "";
    this.written = "";
  }

  take(each, answer, meanings) {
    this.each = each;
    this.answer = answer;
    this.key = JSON.stringify([each, answer]);
    const isPoll = each.kind === "poll";
    const kind = kindOf(each, meanings);
    setText(this.name, isPoll ? `#${each.n}${each.repeat ? " again" : ""}` : each.kind);
    if (this.kind !== kind) this.mark.replaceChildren(markOf(isPoll ? kind : "going"));
    this.kind = kind;
    setText(this.word, isPoll ? wordOf(each) : `${each.method} ${each.target.slice(0, 60)}`);
    setText(this.at, `at ${seconds(each.arrived_s)}`);
    setText(this.took, each.answered_s === null ? "in flight" : `took ${seconds(each.answered_s - each.arrived_s)}`);
    this.#write();
  }

  #write() {
    if (!this.root.open || this.written === this.key) return;
    this.written = this.key;
    const { each, answer } = this;
    const said = each.kind === "poll" ? answer : null;
    const request = [`${each.method} ${each.target}`, ...lines(each.headers)].join("\n");
    const times = [
      `arrived ${each.arrived_s.toFixed(3)} s`,
      each.answered_s === null ? "still in flight" : `${each.ended} ${each.answered_s.toFixed(3)} s`,
      `connection ${each.connection}`,
    ];
    this.body.replaceChildren(
      el("p", { class: "hint" }, times.join(" · ")),
      el("h4", {}, "Request"),
      el("pre", { tabindex: "0" }, request),
      el("h4", {}, "Answer"),
      el(
        "pre",
        { tabindex: "0" },
        said
          ? [`HTTP ${said.http ?? each.http ?? "–"}`, ...lines(said.headers), "", pretty(said.body)].join("\n")
          : each.http === null ? "none" : `HTTP ${each.http}`,
      ),
    );
  }
}

function lines(headers) {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

/** Return JSON with a line for each member. Nothing is parsed for it: long numbers stay as they are. */
function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let told = "";
  let depth = 0;
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g) ?? [];
  parts.forEach((part, index) => {
    const isEmpty = /^[}\]]$/.test(part) && /^[{[]$/.test(parts[index - 1] ?? "");
    if (/^[}\]]$/.test(part)) {
      depth -= 1;
      if (!isEmpty) told += `\n${"  ".repeat(depth)}`;
    } else if (index > 0 && /^[{[,]$/.test(parts[index - 1])) {
      told += `\n${"  ".repeat(depth)}`;
    }
    told += part === ":" ? ": " : part;
    if (/^[{[]$/.test(part)) depth += 1;
  });
  return told;
}

export const detail = new Detail();
