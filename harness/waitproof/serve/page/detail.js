/* The open task: its requests and answers, its verdicts, and what can be done to it.

When the table says that it has changed, its journal and verdicts are fetched, at most twice a second. What
the reader has expanded stays expanded. */

import { ACTIONS } from "./actions.js";
import { api, byId, copyButton, el, plural, say, seconds, setText, taskPath } from "./dom.js";
import { Exchanges, TROUBLE, verdictOf } from "./exchange.js";
import { Timeline } from "./timeline.js";

const ASK_PAUSE_MS = 500;
const LOOK_PAUSE_MS = 1500; // for a task that the table does not show
const MAX_SHOWN = 200; // exchanges; a wait has rarely more
const FRAGMENT = "#task=";

class Detail {
  #page = null;
  #id = null;
  #task = null;
  #takenAt = 0;
  #isGone = false;
  #isDirty = false;
  #asking = false;
  #isStale = false;
  #askedAt = 0;
  #parts = null;
  #exchanges = null;
  #verdictsKey = "";
  #timer = 0;

  /** Start with the page's functions, and open the task that the URL names. */
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
    this.#exchanges?.clear();
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
    if (row) this.take(row.task, row.takenAt);
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

  /** Take a task as the server sent it, if it is the open one. */
  take(task, takenAt = performance.now()) {
    if (String(task.task_id) !== this.#id) return;
    if (this.#task && task.number !== this.#task.number) this.#exchanges?.clear();
    this.#task = task;
    this.#takenAt = takenAt;
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
    const nowS = this.#task.now_s + (performance.now() - this.#takenAt) / 1000;
    this.#parts.timeline.draw(this.#task, this.#page.state.meanings, nowS, this.#parts.timelinePlace.clientWidth);
  }

  #redraw() {
    this.#isDirty = true;
    requestAnimationFrame(() => this.draw());
  }

  /** Look at a task that the table does not show. */
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
      const isListed = this.#page.rowOf(id) !== undefined;
      const [task, journal, verdicts] = await Promise.all([
        isListed ? null : api("GET", path),
        api("GET", `${path}/journal?newest=${MAX_SHOWN}`),
        api("GET", `${path}/verdicts`),
      ]);
      if (id !== this.#id) return;
      if (task) {
        this.#task = task;
        this.#takenAt = performance.now();
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
      payloadHint: el("p", { class: "hint", id: "payload-hint" }),
      payloadMistake: el("p", { class: "field-mistake", id: "payload-mistake", role: "alert" }),
      verdicts: el("div", { class: "verdict-list" }),
      polls: el("div", { class: "exchanges" }),
      pollsTitle: el("h3", {}, "Requests"),
      more: el("p", { class: "hint", hidden: true }),
      empty: el("p", { class: "hint" }, "No polls yet."),
    };
    parts.timelinePlace.append(parts.timeline.root);
    parts.actions = Object.entries(ACTIONS).map(([action, { hint }]) =>
      el(
        "button",
        { type: "button", title: hint, "data-action": action, click: () => this.#act(action) },
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
        el("summary", {}, "Complete or fail with your own JSON"),
        el("label", { for: "payload" }, "Result or error"),
        parts.payload,
        parts.payloadMistake,
        parts.payloadHint,
      ),
      el("h3", {}, "Verdicts"),
      parts.verdicts,
      parts.pollsTitle,
      parts.empty,
      parts.polls,
      parts.more,
    );
    this.#parts = parts;
    this.#exchanges = new Exchanges(parts.polls);
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
          ? "This task is gone: it was deleted, or had no request for a long time. Below is its last known state."
          : "There is no task with this id: it was deleted or never made."
        : "",
    );
    const { status } = this.#page.state;
    for (const button of [...parts.actions, parts.remove]) {
      button.disabled = this.#isGone || (button.dataset.action === "fail" && status?.can_fail === false);
    }
    const task = this.#task;
    if (!task) return;
    setText(parts.payloadHint, payloadHint(status));
    setText(parts.scenario, task.scenario === "inline" ? "your own YAML" : task.scenario);
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
      Timeout: task.wait.timeout_s === null ? "none" : seconds(task.wait.timeout_s),
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
        : [el("p", { class: "hint" }, "No verdicts yet: they appear when the wait is over.")]),
    );
  }

  #showExchanges(journal) {
    const parts = this.#parts;
    const shown = this.#exchanges.show(journal, this.#page.state.meanings);
    setText(parts.pollsTitle, journal.count ? `Requests (${journal.count.toLocaleString("en")}, the newest first)` : "Requests");
    parts.empty.hidden = journal.count > 0;
    parts.more.hidden = journal.count <= shown;
    setText(parts.more, `${plural(journal.count - shown, "older request")} not shown; the control API has them.`);
  }

  // --- actions

  /** Return the JSON text in the field, "" if it is empty; null, with the mistake shown, if it is not JSON. */
  #payload() {
    const { payload, payloadMistake } = this.#parts;
    const text = payload.value.trim();
    let mistake = "";
    try {
      if (text) JSON.parse(text);
    } catch (error) {
      mistake = `This is not JSON: ${error.message}`;
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
      say(`${this.#id}: ${ACTIONS[action].done}.`);
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

export const detail = new Detail();

/** Say what may be written for Complete and Fail, in this API's own words. */
function payloadHint(status) {
  const { result, error } = status?.payloads ?? {};
  const suchAs = (value) => (value == null ? "" : ` such as ${JSON.stringify(value)}`);
  const fail = status?.can_fail === false ? "" : ` For Fail: an error${suchAs(error)}.`;
  return `For Complete: a result${suchAs(result)}.${fail} Default: the scenario’s own.`;
}
