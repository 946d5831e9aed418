/* A task's polls as a drawing: marks at their arrival, bars while they are in flight, the interval's grid and
the deadline behind them.

All marks of a kind are one path: two hundred rows that change every second cost a few thousand attributes,
where one element per mark would cost tens of thousands of elements. */

import { seconds, setText, svg } from "./dom.js";

/** What a poll's mark says by its shape and its color. */
export const KINDS = {
  going: "not finished",
  done: "completed",
  failed: "failed",
  fault: "HTTP error",
  other: "unknown or missing status",
  lost: "no answer",
  flight: "in flight",
};

const PAD = 9; // so that a mark at either end is whole
const R = 4.5;
const MIN_GRID_PX = 5;
const FIRST_INTERVALS = 5; // what the axis shows at first; then twice as many, and so on
const CHARACTER_PX = 6.5; // of the words' font, rather too much than too little

/** Return the kind of a poll; `meanings` are the contract's, by status. */
export function kindOf(poll, meanings) {
  if (poll.ended === "in_flight") return "flight";
  if (poll.ended !== "answered") return "lost";
  if (poll.http < 200 || poll.http > 299) return "fault";
  switch (Object.hasOwn(meanings, poll.status) ? meanings[poll.status] : "") {
    case "keep_polling":
      return "going";
    case "return_result":
      return "done";
    case "raise_task":
      return "failed";
    default:
      return "other";
  }
}

/** Return a poll's word: its status, and what became of it where that is not plain. */
export function wordOf(poll) {
  if (poll.ended === "in_flight") return "in flight";
  if (poll.ended === "dropped") return poll.status;
  if (poll.ended === "answered") return poll.status || String(poll.http ?? "");
  return poll.ended;
}

const n = (value) => value.toFixed(1);
const SHAPES = {
  going: (x, y) => circle(x, y, R),
  flight: (x, y) => circle(x, y, R),
  done: (x, y) => `M${n(x - R)} ${n(y - R)}h${2 * R}v${2 * R}h${-2 * R}z`,
  failed: (x, y) => `M${n(x)} ${n(y - R - 1.5)}l${R + 1.5} ${R + 1.5}l${-R - 1.5} ${R + 1.5}l${-R - 1.5} ${-R - 1.5}z`,
  other: (x, y) => `M${n(x)} ${n(y - R - 1)}l${R + 1} ${2 * R}h${-2 * R - 2}z`,
  fault: (x, y) => cross(x, y),
  lost: (x, y) => cross(x, y),
};

function circle(x, y, r) {
  return `M${n(x - r)} ${n(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

function cross(x, y) {
  const d = R - 0.5;
  return `M${n(x - d)} ${n(y - d)}l${2 * d} ${2 * d}M${n(x + d)} ${n(y - d)}l${-2 * d} ${2 * d}`;
}

/** Return a drawing of one mark, for a legend or a line of text. */
export function markOf(kind) {
  return svg(
    "svg",
    { class: "tl-mark", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    svg("path", { class: `tl-${kind}`, d: SHAPES[kind](8, 8) }),
  );
}

/** Return the first and the last second that the axis shows. */
export function axisOf(task, nowS) {
  const polls = task.polls;
  const interval = Math.max(task.wait.poll_interval_s, 0.001);
  const last = polls.length ? polls[polls.length - 1] : null;
  let until = last ? (last.answered_s ?? nowS) : 0;
  if (task.progress === "polling") until = Math.max(until, nowS);
  const from = polls.length && polls[0].n > 1 ? polls[0].arrived_s - interval / 2 : 0;
  let span = FIRST_INTERVALS * interval;
  const length = (until - from) * 1.02;
  while (span < length) span *= 2;
  const toDeadline = ((task.wait.timeout_s ?? Infinity) - from) * 1.06;
  if (toDeadline > 0 && toDeadline >= length && toDeadline <= 1.3 * span) span = toDeadline;
  return { from, span };
}

export class Timeline {
  /** Make a drawing; a large one has times below it. */
  constructor({ large = false } = {}) {
    this.large = large;
    this.height = large ? 78 : 44;
    this.root = svg("svg", { class: large ? "timeline is-large" : "timeline", role: "img", height: this.height });
    this.parts = {};
    for (const name of ["grid", "axis", "deadline", "bars", ...Object.keys(KINDS)]) {
      this.parts[name] = svg("path", { class: `tl-${name}` });
      this.root.append(this.parts[name]);
    }
    this.texts = svg("g", { class: "tl-texts" });
    this.root.append(this.texts);
    this.width = 0;
  }

  /** Draw a task as it is now. */
  draw(task, meanings, nowS, width) {
    const w = Math.max(Math.floor(width), 60);
    if (w !== this.width) {
      this.width = w;
      this.root.setAttribute("width", w);
      this.root.setAttribute("viewBox", `0 0 ${w} ${this.height}`);
    }
    const { from, span } = axisOf(task, nowS);
    const inner = w - 2 * PAD;
    const x = (second) => PAD + ((second - from) / span) * inner;
    const top = this.large ? 24 : 6;
    const y = top + 9;
    const bottom = top + 18;
    const interval = Math.max(task.wait.poll_interval_s, 0.001);
    let step = interval;
    while ((step / span) * inner < MIN_GRID_PX) step *= 2;
    let grid = "";
    for (let k = Math.ceil(from / step); k * step <= from + span; k += 1) grid += `M${n(x(k * step))} ${top}V${bottom}`;
    const deadline = task.wait.timeout_s ?? Infinity;
    const isDeadlineSeen = deadline >= from && deadline <= from + span;
    const paths = {
      grid,
      axis: `M${PAD} ${bottom}H${w - PAD}`,
      deadline: isDeadlineSeen ? `M${n(x(deadline))} ${top - 5}V${bottom + 2}` : "",
      bars: "",
      ...Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, ""])),
    };
    const labels = [];
    let said = "";
    for (const poll of task.polls) {
      const kind = kindOf(poll, meanings);
      const at = x(poll.arrived_s);
      const until = x(Math.max(poll.answered_s ?? nowS, poll.arrived_s));
      if (until - at > 1.5) paths.bars += `M${n(at)} ${y - 2}H${n(until)}v4H${n(at)}z`;
      paths[kind] += SHAPES[kind](at, y);
      const word = wordOf(poll);
      if (word !== said) labels.push([at, word, kind]);
      said = word;
    }
    for (const [name, d] of Object.entries(paths)) {
      if (this.parts[name].getAttribute("d") !== d) this.parts[name].setAttribute("d", d);
    }
    this.#write(task, labels, { x, from, span, w, bottom, top, deadline, isDeadlineSeen });
  }

  #write(task, labels, { x, from, span, w, bottom, top, deadline, isDeadlineSeen }) {
    const wanted = [];
    const places = labels.map(([at, word, kind]) => {
      const text = word.length > 18 ? `${word.slice(0, 17)}…` : word;
      const size = text.length * CHARACTER_PX;
      const left = Math.max(0, Math.min(at - R, w - size));
      return { at: left, until: left + size + 5, y: bottom + 14, text, kind: `tl-word tl-word-${kind}` };
    });
    const last = places.pop(); // how it is now goes before how it was
    let free = 0;
    for (const place of places) {
      if (place.at < free || place.until > last.at) continue;
      free = place.until;
      wanted.push(place);
    }
    if (last) wanted.push(last);
    if (deadline > from + span) {
      const text = `${this.large ? "deadline " : ""}${seconds(deadline)} ›`;
      const at = w - text.length * CHARACTER_PX;
      const y = this.large ? top - 7 : bottom + 14;
      if (this.large || !last || last.until < at) wanted.push({ at, y, text, kind: "tl-until" });
    }
    if (this.large) {
      if (isDeadlineSeen) {
        const text = `deadline ${seconds(deadline)}`;
        const at = Math.min(x(deadline) - 4, w);
        wanted.push({ at: at - text.length * CHARACTER_PX, y: top - 7, text, kind: "tl-until" });
      }
      const ticks = niceTicks(from, span, Math.max(2, Math.floor(w / 110)));
      for (const tick of ticks) {
        const text = seconds(tick);
        const at = Math.max(0, Math.min(x(tick) - (text.length * CHARACTER_PX) / 2, w - text.length * CHARACTER_PX));
        wanted.push({ at, y: bottom + 32, text, kind: "tl-tick" });
      }
    }
    while (this.texts.childNodes.length > wanted.length) this.texts.lastChild.remove();
    wanted.forEach((want, index) => {
      let text = this.texts.childNodes[index];
      if (!text) {
        text = svg("text");
        this.texts.append(text);
      }
      for (const [name, value] of [["x", n(want.at)], ["y", want.y], ["class", want.kind]]) {
        if (text.getAttribute(name) !== String(value)) text.setAttribute(name, value);
      }
      setText(text, want.text);
    });
    const newest = task.polls[task.polls.length - 1];
    const label = newest
      ? `${task.count} polls; the last at ${seconds(newest.arrived_s)}: ${wordOf(newest)}`
      : "no polls yet";
    if (this.root.getAttribute("aria-label") !== label) this.root.setAttribute("aria-label", label);
  }
}

/** Return about `count` round seconds on an axis. */
function niceTicks(from, span, count) {
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= raw);
  const ticks = [];
  for (let k = Math.ceil(from / step); k * step <= from + span; k += 1) ticks.push(k * step);
  return ticks;
}
