/* A row of the table of tasks: its words, its drawing, and how many verdicts of each status there are. */

import { el, plural, setText } from "./dom.js";
import { Timeline } from "./timeline.js";

const VERDICTS = ["FAIL", "ERROR", "WARN", "INCONCLUSIVE", "PASS", "INFO", "UNSUPPORTED", "NOT_APPLICABLE"];

/** One task's row; `state` is the page's, `open` opens a task. */
export class Row {
  #state;
  #open;

  constructor(task, state, open) {
    this.#state = state;
    this.#open = open;
    this.open = el("button", { type: "button", class: "open", click: () => this.#open(this.id) });
    this.scenario = el("p", { class: "scenario" });
    this.summary = el("p", { class: "summary" });
    this.progress = el("span", { class: "progress" });
    this.step = el("p", { class: "step" });
    this.count = el("p", { class: "count" });
    this.timeline = new Timeline();
    this.place = el("td", { class: "cell-timeline" }, this.timeline.root);
    this.verdicts = el("td", { class: "cell-verdicts" });
    this.root = el(
      "tr",
      { click: (event) => event.target === this.open || this.#clicked() },
      el("td", { class: "cell-task" }, this.open, this.scenario, this.summary),
      el("td", { class: "cell-progress" }, this.progress, this.step, this.count),
      this.place,
      this.verdicts,
    );
    this.isVisible = true;
    this.isDirty = true; // its words are to be written
    this.isStale = true; // its drawing is to be drawn, once it can be seen
    this.take(task);
  }

  #clicked() {
    if (getSelection().isCollapsed) this.#open(this.id);
  }

  /** Take the task as the server sent it. */
  take(task) {
    this.task = task;
    this.id = String(task.task_id);
    this.takenAt = performance.now();
    this.isDirty = this.isStale = true;
  }

  get nowS() {
    return this.task.now_s + (performance.now() - this.takenAt) / 1000;
  }

  /** Time goes on in its drawing. */
  get isTicking() {
    return this.#state.isConnected && this.task.progress === "polling";
  }

  draw(width) {
    const { task } = this;
    if (this.isDirty) {
      this.isDirty = false;
      setText(this.open, this.id);
      setText(this.scenario, task.scenario === "inline" ? "your own YAML" : task.scenario);
      setText(this.summary, task.summary);
      this.summary.title = task.summary;
      setText(this.progress, task.progress);
      this.progress.className = `progress is-${task.progress}`;
      setText(this.step, `step ${stepText(task)}`);
      setText(this.count, plural(task.count, "poll"));
      showCounts(this.verdicts, ["done", "stopped"].includes(task.progress) ? task.verdicts : {});
    }
    if (this.isVisible && (this.isStale || this.isTicking)) {
      this.isStale = false;
      this.timeline.draw(task, this.#state.meanings, this.nowS, width);
    }
  }
}

/** Return where a task is among its steps. */
export function stepText(task) {
  return `${task.steps[task.step] ?? ""}, ${task.step + 1} of ${task.steps.length}`;
}

/** Show how many verdicts have each status, the worst first. */
function showCounts(place, counts) {
  const key = JSON.stringify(counts);
  if (place.dataset.counts === key) return;
  place.dataset.counts = key;
  const shown = VERDICTS.filter((status) => counts[status]);
  place.replaceChildren(
    ...shown.map((status) =>
      el("span", { class: `verdict is-${status}` }, `${counts[status]} ${status}`),
    ),
  );
}
