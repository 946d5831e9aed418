/* The dialog that makes a task: from a scenario, or from YAML whose mistakes are shown at their lines. */

import { api, byId, el, escaped, mistakeText, plural, setText } from "./dom.js";

const CHECK_PAUSE_MS = 250;
const START = "# A task, poll by poll: each step answers one poll unless it says times or for.\n";

class NewTask {
  /** Called with each new task. */
  made = () => {};
  #isBuilt = false;
  #scenarios = [];
  #chosen = "";
  #checking = 0;
  #checks = 0;

  async open() {
    if (!this.#isBuilt) this.#build();
    byId("new-dialog").showModal();
    this.#showMistakes(this.formMistakes, []);
    this.filter.focus();
    try {
      this.#scenarios = (await api("GET", "/scenarios")).scenarios;
      this.#list();
    } catch (error) {
      this.#showMistakes(this.formMistakes, [{ fact: error.message }]);
    }
  }

  #build() {
    this.#isBuilt = true;
    this.filter = el("input", {
      type: "search", id: "filter", autocomplete: "off", spellcheck: "false", placeholder: "Filter scenarios",
      input: () => this.#list(),
      keydown: (event) => {
        if (event.key !== "ArrowDown") return;
        event.preventDefault();
        (this.list.querySelector("input:checked") ?? this.list.querySelector("input"))?.focus();
      },
    });
    this.list = el("div", { class: "choices", role: "radiogroup", "aria-label": "Scenarios" });
    this.found = el("p", { class: "hint", role: "status" });
    this.taskId = el("input", { id: "task-id", autocomplete: "off", spellcheck: "false" });
    this.interval = el("input", { id: "wait-interval", inputmode: "decimal", autocomplete: "off" });
    this.timeout = el("input", { id: "wait-timeout", inputmode: "decimal", autocomplete: "off" });
    this.formMistakes = el("div", { class: "mistakes", role: "alert" });
    this.submit = el("button", { class: "primary", id: "create" }, "Create task");
    this.#buildEditor();
    this.fromScenario = el("input", { type: "radio", name: "source", id: "source-scenario", checked: true, change: () => this.#switch() });
    this.fromYaml = el("input", { type: "radio", name: "source", id: "source-yaml", change: () => this.#switch() });
    this.scenarioPart = el(
      "div",
      { class: "source" },
      el("label", { for: "filter" }, "Scenario"),
      this.filter,
      this.found,
      this.list,
      el("p", {}, el("button", { type: "button", id: "edit", click: () => this.#edit() }, "Edit this scenario as YAML")),
    );
    byId("new-dialog").append(
      el(
        "form",
        { novalidate: true, submit: (event) => this.#create(event) },
        el(
          "header",
          {},
          el("h2", { id: "new-title" }, "New task"),
          el("button", { type: "button", class: "quiet close", "aria-label": "Close", click: () => byId("new-dialog").close() }, "✕"),
        ),
        el(
          "fieldset",
          { class: "switch" },
          el("legend", { class: "sr" }, "How it behaves"),
          this.fromScenario,
          el("label", { for: "source-scenario" }, "From a scenario"),
          this.fromYaml,
          el("label", { for: "source-yaml" }, "Write YAML"),
        ),
        this.scenarioPart,
        this.yamlPart,
        el(
          "div",
          { class: "fields" },
          el("div", {}, el("label", { for: "task-id" }, "Task id ", el("span", { class: "hint" }, "(optional)")), this.taskId),
          el("div", {}, el("label", { for: "wait-interval" }, "Interval, s ", el("span", { class: "hint" }, "(optional)")), this.interval),
          el("div", {}, el("label", { for: "wait-timeout" }, "Timeout, s ", el("span", { class: "hint" }, "(optional)")), this.timeout),
        ),
        el("p", { class: "hint" }, "The interval and timeout that your client passes to its helper; its wait is judged by them."),
        this.formMistakes,
        el(
          "div",
          { class: "buttons" },
          el("button", { type: "button", click: () => byId("new-dialog").close() }, "Cancel"),
          this.submit,
        ),
      ),
    );
    this.#switch();
  }

  #buildEditor() {
    this.editor = el("textarea", {
      id: "yaml", class: "code", wrap: "off", rows: "14", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
      "aria-describedby": "yaml-mistakes",
      input: () => this.#changed(),
      scroll: () => this.#scrolled(),
    });
    this.gutter = el("div", { class: "gutter", "aria-hidden": "true" });
    this.lines = el("div", { class: "line-marks", "aria-hidden": "true" });
    this.yamlState = el("p", { class: "hint", id: "yaml-state", role: "status" });
    this.yamlMistakes = el("div", { class: "mistakes", id: "yaml-mistakes", "aria-live": "polite" });
    this.yamlPart = el(
      "div",
      { class: "source" },
      el("label", { for: "yaml" }, "Scenario as YAML"),
      el("div", { class: "editor" }, this.gutter, el("div", { class: "editor-text" }, this.lines, this.editor)),
      this.yamlState,
      this.yamlMistakes,
    );
  }

  /** Begin with the example of the suite that is served, in which every key is right. */
  async #start() {
    const { example } = await api("GET", "/status");
    const { yaml } = await api("GET", scenarioPath(example));
    this.editor.value ||= START + yaml;
  }

  async #switch() {
    const isYaml = this.fromYaml.checked;
    this.scenarioPart.hidden = isYaml;
    this.yamlPart.hidden = !isYaml;
    this.#showMistakes(this.formMistakes, []);
    if (!isYaml) return;
    try {
      if (!this.editor.value) await this.#start();
    } catch (error) {
      this.#showMistakes(this.formMistakes, [{ fact: error.message }]);
    }
    this.#changed(0);
  }

  #list() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = this.#scenarios.filter((each) => {
      const text = `${each.id} ${each.summary} ${each.steps.join(" ")}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const usable = fitting.filter(isUsable);
    if (!usable.some((each) => each.id === this.#chosen)) this.#chosen = usable[0]?.id ?? "";
    setText(this.found, fitting.length ? plural(fitting.length, "scenario") : "No scenario matches.");
    this.list.replaceChildren(
      ...fitting.map((each, index) =>
        el(
          "label",
          { class: "choice" },
          el("input", {
            type: "radio", name: "scenario", value: each.id, checked: each.id === this.#chosen, disabled: !isUsable(each),
            "aria-describedby": `choice-${index}`,
            change: () => {
              this.#chosen = each.id;
            },
          }),
          el("span", { class: "choice-id" }, each.id),
          el("span", { class: "choice-summary", id: `choice-${index}` }, each.summary || `failed to load: ${each.mistakes[0]?.fact ?? ""}`),
        ),
      ),
    );
    this.list.querySelector("input:checked")?.scrollIntoView({ block: "nearest" });
  }

  async #edit() {
    if (!this.#chosen) return;
    try {
      const { yaml } = await api("GET", scenarioPath(this.#chosen));
      this.editor.value = yaml;
      this.fromYaml.checked = true;
      this.#switch();
      this.editor.focus();
      this.editor.setSelectionRange(0, 0);
    } catch (error) {
      this.#showMistakes(this.formMistakes, [{ fact: error.message }]);
    }
  }

  // --- the editor

  #changed(pauseMs = CHECK_PAUSE_MS) {
    const count = this.editor.value.split("\n").length;
    while (this.gutter.childElementCount < count) this.gutter.append(el("div", {}, String(this.gutter.childElementCount + 1)));
    while (this.gutter.childElementCount > count) this.gutter.lastChild.remove();
    while (this.lines.childElementCount < count) this.lines.append(el("div"));
    while (this.lines.childElementCount > count) this.lines.lastChild.remove();
    this.#scrolled();
    clearTimeout(this.#checking);
    this.#checking = setTimeout(() => this.#check(), pauseMs);
  }

  #scrolled() {
    for (const each of [this.gutter, this.lines]) {
      each.style.transform = `translateY(${-this.editor.scrollTop}px)`;
    }
  }

  async #check() {
    this.#checks += 1;
    const mine = this.#checks;
    let mistakes;
    try {
      ({ mistakes } = await api("POST", "/check", { yaml: this.editor.value.toWellFormed() }));
    } catch (error) {
      mistakes = error.mistakes?.length ? error.mistakes : [{ fact: error.message }];
    }
    if (mine === this.#checks) this.#mark(mistakes);
  }

  #mark(mistakes) {
    const bad = new Set(mistakes.map((each) => each.line));
    for (const part of [this.gutter, this.lines]) {
      [...part.children].forEach((line, index) => line.classList.toggle("is-bad", bad.has(index + 1)));
    }
    this.editor.setAttribute("aria-invalid", String(mistakes.length > 0));
    setText(this.yamlState, mistakes.length ? plural(mistakes.length, "mistake") : "No mistakes.");
    this.yamlState.classList.toggle("is-right", mistakes.length === 0);
    this.#showMistakes(this.yamlMistakes, mistakes);
  }

  #showMistakes(place, mistakes) {
    place.replaceChildren(
      ...mistakes.map((each) => {
        const text = mistakeText(each, !each.line);
        if (each.line) {
          const where = each.column ? `Line ${each.line}, column ${each.column}` : `Line ${each.line}`;
          text.prepend(el("button", { type: "button", class: "quiet small", click: () => this.#goTo(each) }, where));
        }
        return text;
      }),
    );
  }

  #goTo({ line, column }) {
    const before = this.editor.value.split("\n").slice(0, line - 1);
    const at = before.reduce((sum, each) => sum + each.length + 1, 0) + Math.max(0, (column ?? 1) - 1);
    this.editor.focus();
    this.editor.setSelectionRange(at, at);
  }

  // --- making it

  async #create(event) {
    event.preventDefault();
    const body = {};
    const mistakes = [];
    if (this.fromYaml.checked) body.yaml = this.editor.value.toWellFormed();
    else if (this.#chosen) body.scenario = this.#chosen;
    else mistakes.push({ fact: "Choose a scenario first" });
    if (this.taskId.value.trim()) body.task_id = this.taskId.value.trim();
    const wait = {};
    for (const [name, field] of [["poll_interval_s", this.interval], ["timeout_s", this.timeout]]) {
      const text = field.value.trim().replace(",", ".");
      field.setAttribute("aria-invalid", "false");
      if (!text) continue;
      wait[name] = Number(text);
      if (!Number.isFinite(wait[name])) {
        field.setAttribute("aria-invalid", "true");
        mistakes.push({ fact: `'${text}' is not a number of seconds`, expected: "such as 0.5" });
      }
    }
    if (Object.keys(wait).length) body.wait = wait;
    this.#showMistakes(this.formMistakes, mistakes);
    if (mistakes.length) return;
    this.submit.disabled = true;
    try {
      const task = await api("POST", "/tasks", body);
      byId("new-dialog").close();
      this.taskId.value = "";
      this.made(task);
    } catch (error) {
      const mistakes = error.mistakes?.length ? error.mistakes : [{ fact: error.message }];
      if (this.fromYaml.checked && mistakes.some((each) => each.line)) this.#mark(mistakes);
      else this.#showMistakes(this.formMistakes, mistakes);
    } finally {
      this.submit.disabled = false;
    }
  }
}

/** Say whether a scenario has a version that can be used: the last one that loaded. */
function isUsable(entry) {
  return entry.steps.length > 0;
}

function scenarioPath(id) {
  return `/scenarios/${id.split("/").map(escaped).join("/")}`;
}

export const newTask = new NewTask();
