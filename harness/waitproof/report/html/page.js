"use strict";
// Opens a cell of the matrix. All text enters the page as text nodes, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dialog = document.getElementById("dialog");
  const sheet = dialog.querySelector(".sheet");
  const form = document.getElementById("filters");
  const MOST_LANES = 30; // copies drawn of a scenario with many
  const MOST_SHOWN = 40; // polls listed of one play
  const ATTENTION = ["ERROR", "FAIL", "INCONCLUSIVE", "WARN"];
  const ORDER = [...ATTENTION, "PASS", "UNSUPPORTED", "INFO", "NOT_APPLICABLE"];

  // --- small tools ---

  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name === "class") made.className = value;
      else if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== ""));
    return made;
  }

  function drawn(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  const isMissing = (value) => value === undefined || value === null;
  const badge = (verdict) =>
    element("span", { class: `badge s-${verdict.status}` }, verdict.status.replaceAll("_", " ") + (verdict.excused ? ", excused" : ""));
  const seconds = (value) => (Math.abs(value) >= 0.1 ? `${value.toFixed(2)} s` : `${(value * 1000).toFixed(0)} ms`);
  const plainSeconds = (value) => `${Number(value.toFixed(3))} s`;
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);

  /** Return a <details> that is filled only when it is first opened: a dialog may hold thousands of them. */
  function folded(title, fill, properties = {}) {
    const details = element("details", properties, element("summary", {}, ...title));
    let isFilled = false;
    const once = () => {
      if (details.open && !isFilled) {
        isFilled = true;
        details.append(...fill().filter(Boolean));
      }
    };
    details.addEventListener("toggle", once);
    once();
    return details;
  }

  // --- the state in the address: #level=MUST&status=FAIL&topic=faults&q=text&cell=requirement/adapter ---

  let cell = "";
  const levels = () => [...form.querySelectorAll("[name=level]")];

  function readAddress() {
    const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    const chosen = state.get("level");
    for (const box of levels()) box.checked = chosen === null || chosen.split(",").includes(box.value);
    form.elements.q.value = state.get("q") ?? "";
    for (const name of ["status", "topic"]) {
      form.elements[name].value = state.get(name) ?? "";
      if (form.elements[name].selectedIndex < 0) form.elements[name].value = "";
    }
    cell = state.get("cell") ?? "";
  }

  function writeAddress() {
    const state = new URLSearchParams();
    const ticked = levels().filter((box) => box.checked).map((box) => box.value);
    if (ticked.length < levels().length) state.set("level", ticked.join(","));
    for (const name of ["status", "topic", "q"]) {
      const value = form.elements[name].value.trim();
      if (value) state.set(name, value);
    }
    if (cell) state.set("cell", cell);
    const text = state.toString();
    const where = text ? `#${text}` : location.pathname + location.search;
    try {
      history.replaceState(null, "", where);
    } catch { /* a page in a sandboxed frame can't change its address */ }
  }

  // --- filters ---

  const rows = [...document.querySelectorAll(".matrix tr[data-r]")];
  const texts = rows.map((row) => {
    const { id, sentence } = data.requirements[row.dataset.r];
    const verdicts = data.adapters.flatMap((adapter) => adapter.verdicts.filter((verdict) => verdict.requirement === id));
    const found = verdicts.flatMap((verdict) => [verdict.scenario, verdict.seen ?? "", verdict.excused ?? ""]);
    return [...new Set([id, sentence, ...found])].join("\n").toLowerCase();
  });

  function filter() {
    const query = form.elements.q.value.trim().toLowerCase();
    const status = form.elements.status.value;
    const topic = form.elements.topic.value;
    const ticked = new Set(levels().filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    rows.forEach((row, index) => {
      let matches = 0;
      for (const place of row.cells) {
        if (place.tagName !== "TD" || !place.dataset.statuses) continue;
        const fits =
          (!status || place.dataset.statuses.split(" ").includes(status)) &&
          (!topic || place.dataset.topics.split(" ").includes(topic));
        place.classList.toggle("off", !fits);
        matches += fits;
      }
      const level = data.requirements[row.dataset.r].level;
      const fits = matches > 0 && ticked.has(level) && query.split(/\s+/).every((word) => texts[index].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    for (const body of document.querySelectorAll(".matrix tbody")) {
      body.hidden = ![...body.querySelectorAll("tr[data-r]")].some((row) => !row.hidden);
    }
    document.getElementById("shown").textContent =
      shown === rows.length ? `${rows.length} requirements` : `${shown} of ${rows.length} requirements`;
    document.getElementById("none").hidden = shown > 0;
  }

  // --- a cell ---

  let opener = null;

  function openCell() {
    const cut = cell.lastIndexOf("/");
    const requirement = data.requirements.find((each) => each.id === cell.slice(0, cut));
    const adapter = data.adapters.find((each) => each.name === cell.slice(cut + 1));
    if (!requirement || !adapter) {
      cell = "";
      return;
    }
    const verdicts = adapter.verdicts
      .filter((verdict) => verdict.requirement === requirement.id)
      .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
    const close = element("button", { type: "button" }, "Close");
    close.addEventListener("click", () => dialog.close());
    sheet.replaceChildren(
      element("div", { class: "sheet-head" },
        element("div", {},
          element("h2", { id: "dialog-title" }, requirement.id),
          element("p", { class: "muted" },
            element("span", { class: `level l-${requirement.level}` }, requirement.level),
            ` ${adapter.name}${adapter.sdk ? ` · ${adapter.sdk}` : ""}`)),
        close),
      element("p", { class: `sentence${requirement.quoted ? " quoted" : ""}` }, requirement.sentence));
    verdicts.forEach((verdict, index) => {
      sheet.append(caseOf(adapter, verdict, index === 0 || ATTENTION.includes(verdict.status)));
    });
    if (!verdicts.length) sheet.append(element("p", {}, "Nothing was judged here."));
    if (adapter.stderr_tail) {
      sheet.append(element("details", {},
        element("summary", {}, `The adapter's last lines on stderr (${adapter.stderr_tail.length})`),
        element("pre", {}, adapter.stderr_tail.join("\n"))));
    }
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    close.focus();
  }

  dialog.addEventListener("close", () => {
    cell = "";
    writeAddress();
    opener?.focus();
    opener = null;
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside the sheet
  });

  function caseOf(adapter, verdict, isOpen) {
    const scenario = data.scenarios[verdict.scenario] ?? {};
    const title = [badge(verdict), " ", element("code", {}, verdict.scenario), element("span", { class: "muted" }, scenario.summary ?? "")];
    const body = () => [element("div", { class: "case-body" }, ...caseBody(adapter, verdict, scenario))];
    return folded(title, body, { class: "case", open: isOpen });
  }

  function caseBody(adapter, verdict, scenario) {
    const list = element("dl", { class: "rows" });
    const row = (name, ...content) => {
      if (content.some(Boolean)) list.append(element("dt", {}, name), element("dd", {}, ...content.filter(Boolean)));
    };
    row("Expected", verdict.expected);
    row("Seen", verdict.seen);
    row("Why", verdict.explanation);
    row("Follows from", verdict.follows_from);
    if (verdict.excused) {
      const source = verdict.href
        ? element("a", { href: verdict.href, rel: "noopener noreferrer", target: "_blank" }, "Source")
        : verdict.link && element("span", { class: "muted" }, verdict.link);
      row("Excused", verdict.excused, source && " ", source);
    }
    row("File", scenario.file);
    return [list, ...playParts(adapter, verdict), commandPart(adapter, verdict)];
  }

  function commandPart(adapter, verdict) {
    const text = `${adapter.command} -k ${quoted(`${verdict.scenario}:${verdict.requirement}`)}`;
    const code = element("code", {}, text);
    const button = element("button", { type: "button" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch { // no permission, or not a secure context: select it for the reader to copy
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    return element("div", {}, element("p", { class: "muted" }, "To run this again:"), element("div", { class: "command" }, code, button));
  }

  // --- what was played ---

  const plays = (adapter, scenario) => (adapter.scenarios ?? []).filter((play) => play.id === scenario);
  const failures = (adapter) => adapter.verdicts.filter((verdict) => ATTENTION.includes(verdict.status)).length;
  const playName = (list, index) =>
    `run ${index + 1} of ${list.length}${list[index].alone ? ", in isolation" : ""}`;

  function playParts(adapter, verdict) {
    const own = plays(adapter, verdict.scenario);
    if (!own.length) return [element("p", { class: "muted" }, "This scenario was not run, so there are no polls to show.")];
    let chosen = verdict.status === "INCONCLUSIVE" ? 0 : Math.min(verdict.alone_runs ?? 0, own.length - 1);
    const others = data.adapters.filter((each) => each !== adapter && plays(each, verdict.scenario).length);
    let other = others.reduce((best, each) => (best && failures(best) <= failures(each) ? best : each), null);

    const chart = element("div");
    const exchange = element("div");
    const tools = element("div", { class: "tools" });
    const draw = () => {
      if (!chart.clientWidth) return; // not in the page yet: the observer draws it later
      const drawnPlays = [{ name: adapter.name, play: own[chosen] }];
      if (other) drawnPlays.push({ name: other.name, play: plays(other, verdict.scenario)[0] });
      chart.replaceChildren(...timeline(drawnPlays, chart.clientWidth));
    };
    const show = () => {
      draw();
      exchange.replaceChildren(...exchanges(adapter, own[chosen]));
    };
    if (own.length > 1) {
      const choice = element("select");
      own.forEach((_, index) => choice.append(element("option", { value: index, selected: index === chosen }, playName(own, index))));
      choice.addEventListener("change", () => { chosen = Number(choice.value); show(); });
      tools.append(element("label", {}, "Show", choice));
    }
    if (others.length) {
      const choice = element("select", {}, element("option", { value: "" }, "no other SDK"));
      others.forEach((each, index) => choice.append(element("option", { value: index, selected: each === other }, each.name)));
      choice.addEventListener("change", () => { other = others[choice.value] ?? null; draw(); });
      tools.append(element("label", {}, "Compare with", choice));
    }
    let width = 0;
    new ResizeObserver(() => {
      if (chart.clientWidth !== width) {
        width = chart.clientWidth;
        draw();
      }
    }).observe(chart);
    show();
    return [element("div", {}, tools, chart), exchange];
  }

  // --- the timeline ---

  const isFault = (poll) => /^drop|^text$/.test(poll.status ?? "") || (poll.http ?? 0) >= 300;

  function niceStep(span, most) {
    const rough = span / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
  }

  function timeline(shown, width) {
    const lanes = [];
    for (const { name, play } of shown) {
      const calls = play.calls ?? [];
      const polls = play.polls ?? [];
      const copies = [...new Set([...calls, ...polls].map((each) => each.copy))].sort((a, b) => a - b);
      const thin = copies.length > 3;
      if (thin) lanes.push({ note: name, isName: true });
      for (const copy of copies.slice(0, MOST_LANES)) {
        const label = thin ? `copy ${copy}` : name + (copies.length > 1 ? `, copy ${copy}` : "");
        const of = (list) => list.filter((each) => each.copy === copy);
        lanes.push({ label, calls: of(calls), polls: of(polls), thin });
      }
      if (copies.length > MOST_LANES) lanes.push({ note: `${copies.length - MOST_LANES} more copies of ${name}` });
    }
    const all = lanes.filter((lane) => !lane.note);
    const ends = all.flatMap((lane) => [
      ...lane.polls.flatMap((poll) => [poll.arrived_s, poll.answered_s ?? poll.arrived_s]),
      ...lane.calls.flatMap((call) => [call.sent_s, call.received_s ?? call.sent_s]),
    ]);
    let span = Math.max(0.05, ...ends);
    const deadlines = all.flatMap((lane) => lane.calls.map(deadlineOf)).filter((at) => at !== null && at <= 1.5 * span);
    span = Math.max(span, ...deadlines) * 1.02;

    const labels = [...new Set(all.flatMap((lane) => lane.polls.filter((poll) => !isFault(poll)).map((poll) => poll.status)))];
    const kind = (poll) => (isFault(poll) ? "kfault" : `k${Math.min(4, labels.indexOf(poll.status))}`);
    const left = all.some((lane) => lane.thin) ? 56 : 1; // copies have their names beside them
    const right = width - 10;
    const x = (at) => left + ((right - left) * at) / span;
    let y = 4;
    const step = niceStep(span, Math.max(2, Math.floor(width / 90)));
    const body = drawn("g");
    for (const lane of lanes) {
      if (lane.note) {
        body.append(drawn("text", { x: 1, y: y + 12, class: lane.isName ? "lane-name" : "soft" }, lane.note));
        y += 20;
      } else {
        y = drawLane(body, lane, { x, y, left, right, span, kind, width });
      }
    }
    const grid = drawn("g");
    for (let at = 0; at <= span; at += step) {
      grid.append(drawn("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: y + 4 }));
      const text = `${Number(at.toFixed(6))}${at === 0 ? " s" : ""}`;
      const anchor = at === 0 ? "start" : x(at) > right - 14 ? "end" : "middle";
      body.append(drawn("text", { class: "soft", x: x(at), y: y + 17, "text-anchor": anchor }, text));
    }
    const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${width} ${y + 22}`, role: "img", "aria-label": spoken(all) }, grid, body);
    return [svg, legend(all, labels, kind)];
  }

  const deadlineOf = (call) => (isMissing(call.timeout_s) ? null : call.sent_s + call.timeout_s);

  function drawLane(body, lane, { x, y, left, right, span, kind, width }) {
    const bar = lane.thin ? 8 : 18;
    const room = 6.4; // pixels a character of a label takes at most
    const captions = lane.calls.filter((call) => call.interval_s).map((call) => {
      const every = call.schedule
        ? `polls after ${plainSeconds(call.interval_s)}, then less often, up to every ${plainSeconds(call.schedule.most_s)}`
        : `polls every ${plainSeconds(call.interval_s)}`;
      const polls = call.max_polls ? `, gives up after ${call.max_polls} polls` : "";
      if (isMissing(call.timeout_s)) return every + polls;
      return `${every}, times out after ${plainSeconds(call.timeout_s)}${polls}${call.sent_s + call.timeout_s > span ? " (the deadline is beyond this chart)" : ""}`;
    });
    const wait = captions.at(-1) ?? "";
    const caption = drawn("text", { x: 1, y: y + (lane.thin ? 9 : 11), class: lane.thin ? "soft" : "" }, drawn("tspan", { class: lane.thin ? "" : "lane-name" }, lane.label));
    if (wait && !lane.thin && (lane.label.length + wait.length) * room < width) caption.append(drawn("tspan", { class: "soft", dx: 8 }, wait));
    body.append(caption);
    y += lane.thin ? 1 : 17;
    const top = y + (lane.thin ? 0 : 15);
    body.append(drawn("rect", { class: "lane", x: left, y: top - 2, width: right - left, height: bar + 4, rx: 3 }));

    for (const call of lane.calls) {
      if (!call.interval_s) continue;
      const arrivals = lane.polls.filter((poll) => poll.arrived_s >= call.sent_s);
      const first = arrivals.length ? arrivals[0].arrived_s : call.sent_s;
      const until = Math.min(span, call.received_s ?? span);
      if ((until - first) / call.interval_s <= 150) {
        let pause = call.interval_s;
        for (let at = first; at <= until + 1e-6; at += pause) {
          body.append(drawn("line", { class: "interval", x1: x(at), x2: x(at), y1: top - 4, y2: top + bar + 4 }));
          if (call.schedule && at > first) pause = Math.min(pause * call.schedule.times + call.schedule.add_s, call.schedule.most_s);
        }
      }
      const deadline = deadlineOf(call);
      if (deadline !== null && deadline <= span) {
        body.append(drawn("line", { class: "deadline", x1: x(deadline), x2: x(deadline), y1: top - 8, y2: top + bar + 8 }));
        if (!lane.thin) {
          const text = `deadline ${plainSeconds(call.timeout_s)}`;
          const isLeft = x(deadline) + text.length * room > right;
          body.append(drawn("text", { class: "deadline-text", x: x(deadline) + (isLeft ? -4 : 4), y: y - 4, "text-anchor": isLeft ? "end" : "start" }, text));
        }
      }
    }

    let free = -1; // where the next label may begin
    let lastWord = "";
    for (const poll of lane.polls) {
      const isOpen = isMissing(poll.answered_s);
      const from = x(poll.arrived_s);
      const to = Math.max(from + 4, x(isOpen ? span : poll.answered_s));
      const word = (poll.status || "poll") + (poll.repeat ? " (repeated)" : "") + (isOpen ? " (in flight)" : "");
      const rect = drawn("rect", { class: kind(poll) + (poll.repeat ? " repeat" : ""), x: from, y: top, width: to - from, height: bar, rx: 1.5 },
        drawn("title", {}, `poll ${poll.n} arrived at ${poll.arrived_s.toFixed(3)} s: ${word}${isOpen ? "" : `, answered after ${seconds(poll.answered_s - poll.arrived_s)}`}`));
      body.append(rect, drawn("line", { class: "arrival", x1: from, x2: from, y1: top - 2, y2: top + bar + 2 }));
      const takes = word.length * room;
      if (!lane.thin && word !== lastWord) {
        const at = Math.min(from, right - takes);
        if (at >= free) {
          body.append(drawn("text", { x: at, y: top - 6 }, word));
          free = at + takes + 8;
          lastWord = word;
        }
      }
    }
    y = top + bar + (lane.thin ? 3 : 6);

    let line = 0;
    lane.calls.forEach((call) => {
      const end = call.received_s ?? span;
      const middle = lane.thin ? top + bar / 2 : y + 5 + line * 15;
      if (!lane.thin) body.append(drawn("line", { class: "call", x1: x(call.sent_s), x2: x(end), y1: middle, y2: middle }));
      const text = `${call.op} ${call.outcome} at ${Math.max(0, end).toFixed(2)} s`;
      if (!isMissing(call.received_s)) {
        body.append(drawn("path", { class: "end", d: `M${x(end)} ${middle - 5}l5 5l-5 5l-5 -5z` }, drawn("title", {}, text)));
      }
      if (!lane.thin) {
        const takes = text.length * room;
        const isLeft = x(end) + 9 + takes > right;
        const fits = x(end) - 9 - takes > left;
        body.append(drawn("text", { x: isLeft ? (fits ? x(end) - 9 : left) : x(end) + 9, y: middle + (isLeft ? 16 : 4), "text-anchor": isLeft && fits ? "end" : "start" }, text));
        y += isLeft ? 13 : 0;
        line += 1;
      }
    });
    return lane.thin ? y + 2 : y + 5 + Math.max(1, line) * 15 + 6;
  }

  /** Return the chart in words, for readers who can't see it. */
  function spoken(lanes) {
    return lanes.slice(0, 6).map((lane) => {
      const polls = lane.polls.slice(0, 20).map((poll) => `${poll.arrived_s.toFixed(2)} ${poll.status ?? ""}`);
      const calls = lane.calls.map((call) => `${call.op} ${call.outcome} at ${(call.received_s ?? 0).toFixed(2)} s`);
      return `${lane.label}: ${lane.polls.length} polls, ${polls.join(", ")}; ${calls.join(", ")}`;
    }).join(". ");
  }

  function legend(lanes, labels, kind) {
    const list = element("ul", { class: "legend" });
    const item = (shape, text) => list.append(element("li", {}, drawn("svg", { viewBox: "0 0 14 11", class: "chart", "aria-hidden": "true" }, shape), text));
    const box = (name) => drawn("rect", { class: name, x: 0, y: 1, width: 14, height: 9, rx: 1.5 });
    for (const label of labels) item(box(kind({ status: label })), label || "poll");
    const faults = new Set(lanes.flatMap((lane) => lane.polls.filter(isFault).map((poll) => poll.status)));
    if (faults.size) item(box("kfault"), `fault: ${[...faults].join(", ")}`);
    if (lanes.some((lane) => lane.polls.some((poll) => poll.repeat))) item(box("kfault repeat"), "repeated by the HTTP client");
    item(drawn("path", { class: "end", d: "M7 0.5l5 5l-5 5l-5 -5z" }), "the call's outcome");
    if (lanes.some((lane) => lane.calls.some((call) => call.interval_s))) {
      item(drawn("line", { class: "interval", x1: 7, x2: 7, y1: 0, y2: 11 }), "intervals since the first poll");
    }
    return list;
  }

  // --- the HTTP exchange ---

  function exchanges(adapter, play) {
    const polls = play.polls ?? [];
    const copies = new Set(polls.map((poll) => poll.copy)).size;
    const parts = [];
    if (polls.length) {
      parts.push(folded([`HTTP exchange: ${polls.length} poll${polls.length === 1 ? "" : "s"}`], () => [
        play.heads ? "" : element("p", { class: "note" }, "An older waitproof wrote this report: it contains no requests or answers."),
        ...polls.slice(0, MOST_SHOWN).map((poll) => exchange(adapter, play, poll, copies > 1)),
        polls.length > MOST_SHOWN ? element("p", { class: "muted" }, `… and ${polls.length - MOST_SHOWN} more, in report.json.`) : "",
      ]));
    }
    if (play.requests) {
      const lines = play.requests.slice(0, MOST_SHOWN).map(
        (each) => `${each.arrived_s.toFixed(3)} s  ${each.method} ${each.target}  → ${each.http ?? "nothing"}`);
      parts.push(folded([`Other requests: ${play.requests.length}`], () => [element("pre", {}, lines.join("\n"))]));
    }
    if (play.calls) {
      parts.push(folded(["What the adapter was sent and what it answered"], () => play.calls.slice(0, MOST_SHOWN).flatMap((call) => [
        element("p", { class: "muted" }, `at ${call.sent_s.toFixed(3)} s${copies > 1 ? `, copy ${call.copy}` : ""}`),
        element("pre", {}, `→ ${call.request}\n← ${call.answer}`),
      ])));
    }
    return parts;
  }

  function exchange(adapter, play, poll, isOneOfMany) {
    const head = play.heads?.[poll.head];
    const answer = play.answers?.find((each) => each.step === poll.step);
    const isOpen = isMissing(poll.answered_s);
    const result = poll.http ? `${poll.http} ${poll.http === Number(poll.status) ? "" : poll.status ?? ""}` : `${poll.status ?? ""} (no answer)`;
    const took = isOpen ? "in flight" : seconds(poll.answered_s - poll.arrived_s);
    const title = `${poll.repeat ? "repeat of poll" : "poll"} ${poll.n}${isOneOfMany ? ` of copy ${poll.copy}` : ""} at ${poll.arrived_s.toFixed(3)} s → ${result.trim()}, ${took}, connection ${poll.connection ?? 1}`;
    return folded([title], () => {
      const lines = (first, headers, ...rest) =>
        element("pre", {}, [first, ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`), ...rest].join("\n"));
      const part = (text) => element("p", { class: "part" }, text);
      const request = head ? [part("Request"), lines(`${head.method} ${head.target}`, { ...adapter.headers, ...head.headers })] : [];
      if (!answer) return request;
      if (isMissing(answer.http)) return [...request, part(`No answer: the connection was dropped (${answer.drop ?? "fault"}).`)];
      const notes = [answer.delay_s ? `after ${plainSeconds(answer.delay_s)}` : "", answer.drop ? `cut off (${answer.drop})` : "", isOneOfMany ? "shown with the values of copy 1" : ""].filter(Boolean);
      return [...request, part(`Answer${notes.length ? `, ${notes.join(", ")}` : ""}`), lines(`HTTP ${answer.http}`, answer.headers, "", answer.body ?? "")];
    }, { class: "exchange" });
  }

  // --- begin ---

  function open(from, row) {
    opener = from;
    cell = `${data.requirements[row].id}/${data.adapters[from.dataset.a].name}`;
    writeAddress();
    openCell();
  }

  document.querySelector(".matrix").addEventListener("click", (event) => {
    const link = event.target.closest("a.cell");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link, link.closest("tr").dataset.r);
  });
  for (const button of document.querySelectorAll("button.opens")) {
    button.addEventListener("click", () => open(button, button.dataset.r));
  }
  for (const link of document.querySelectorAll("a.cell")) link.setAttribute("aria-haspopup", "dialog");
  form.addEventListener("input", () => { filter(); writeAddress(); });
  form.addEventListener("reset", () => setTimeout(() => { filter(); writeAddress(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=")) {
      let folded = document.getElementById(location.hash.slice(1));
      while ((folded = folded?.parentElement?.closest("details"))) folded.open = true;
      return;
    }
    readAddress();
    filter();
    if (cell) openCell();
    else if (dialog.open) dialog.close();
  });
  addEventListener("beforeprint", () => {
    for (const group of document.querySelectorAll("details.group")) group.open = true;
  });
  form.hidden = false;
  for (const hint of document.querySelectorAll(".js-only")) hint.hidden = false;
  document.querySelector(".no-js").remove();
  readAddress();
  filter();
  if (cell) openCell();
})();
