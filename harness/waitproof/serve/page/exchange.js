/* A task's requests with their answers, and its verdicts, as elements that can be expanded. */

import { el, seconds, setText } from "./dom.js";
import { kindOf, markOf, wordOf } from "./timeline.js";

export const TROUBLE = new Set(["FAIL", "ERROR", "WARN", "INCONCLUSIVE"]);

/** Return a verdict with everything that is known of it; trouble is expanded. */
export function verdictOf(verdict, wasOpen) {
  const rows = ["expected", "seen", "explanation"].filter((name) => verdict[name]);
  return el(
    "details",
    { "data-requirement": verdict.requirement, open: wasOpen ?? TROUBLE.has(verdict.status) },
    el(
      "summary",
      {},
      el("span", { class: `verdict is-${verdict.status}` }, verdict.status),
      el("span", { class: "requirement" }, verdict.requirement),
      el("span", { class: "level" }, verdict.level),
    ),
    el("dl", {}, ...rows.flatMap((name) => [el("dt", {}, name), el("dd", {}, verdict[name])])),
  );
}

/** The list of a task's requests, the newest first. */
export class Exchanges {
  #place;
  #items = new Map(); // by serial

  constructor(place) {
    this.#place = place;
  }

  clear() {
    this.#items.clear();
  }

  /** Show a journal; return how many of its requests are shown. */
  show(journal, meanings) {
    const answers = new Map(journal.answers.map((each) => [each.step, each]));
    const listed = new Set();
    const nodes = [];
    for (const each of [...journal.requests].reverse()) {
      listed.add(each.serial);
      let item = this.#items.get(each.serial);
      if (!item) {
        item = new Exchange();
        this.#items.set(each.serial, item);
      }
      item.take(each, answers.get(each.step), meanings);
      nodes.push(item.root);
    }
    for (const serial of this.#items.keys()) if (!listed.has(serial)) this.#items.delete(serial);
    let next = this.#place.firstChild;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else this.#place.insertBefore(node, next);
    }
    while (next) {
      const after = next.nextSibling;
      next.remove();
      next = after;
    }
    return nodes.length;
  }
}

/** One request with its answer; its text is written when it is expanded. */
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
    setText(this.name, isPoll ? `#${each.n}${each.repeat ? " repeated" : ""}` : each.kind);
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
    const sent = each.kind === "poll" ? answer : null;
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
        sent
          ? [`HTTP ${sent.http ?? each.http ?? "–"}`, ...lines(sent.headers), "", pretty(sent.body)].join("\n")
          : each.http === null ? "none" : `HTTP ${each.http}`,
      ),
    );
  }
}

function lines(headers) {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

/** Return JSON with a line for each member, without parsing it: long numbers stay as they are. */
function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let lined = "";
  let depth = 0;
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g) ?? [];
  parts.forEach((part, index) => {
    const isEmpty = /^[}\]]$/.test(part) && /^[{[]$/.test(parts[index - 1] ?? "");
    if (/^[}\]]$/.test(part)) {
      depth -= 1;
      if (!isEmpty) lined += `\n${"  ".repeat(depth)}`;
    } else if (index > 0 && /^[{[,]$/.test(parts[index - 1])) {
      lined += `\n${"  ".repeat(depth)}`;
    }
    lined += part === ":" ? ": " : part;
    if (/^[{[]$/.test(part)) depth += 1;
  });
  return lined;
}
