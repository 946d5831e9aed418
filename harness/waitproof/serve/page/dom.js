/* Elements, requests and words that every part of the page uses.

Text from the server may come from any client: it is inserted as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** Return a new HTML element; `props` are attributes, functions are listeners of their name. */
export function el(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** Return a new SVG element. */
export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set an element's text only where it differs: nothing is selected away or drawn again. */
export function setText(element, text) {
  const value = String(text);
  if (element.textContent !== value) element.textContent = value;
}

/** The server refused a request, with its mistakes, or did not answer. */
export class Refused extends Error {
  constructor(message, mistakes = [], http = 0) {
    super(message);
    this.mistakes = mistakes;
    this.http = http;
  }
}

/** Ask the control API; return its JSON, null where there is none. `body` is JSON text or a value. */
export async function api(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(`/_waitproof${path}`, options);
  } catch {
    throw new Refused("The server does not answer.");
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(`The server answered ${response.status} without JSON.`, [], response.status);
  }
  if (response.ok) return value;
  throw new Refused(value?.message || `The server answered ${response.status}.`, value?.mistakes ?? [], response.status);
}

/** Return the path of a task in the control API. */
export function taskPath(taskId) {
  return `/tasks/${escaped(taskId)}`;
}

/** Return a text as a part of a URL; half a character, which no URL can carry, becomes U+FFFD. */
export function escaped(text) {
  return encodeURIComponent(String(text).toWellFormed());
}

/** Return seconds in the words of the project's other output: 200 ms, 1.25 s, 2 min. */
export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (Math.abs(value) < 1) return `${Math.round(value * 1000)} ms`;
  if (Math.abs(value) < 120) return `${Number(value.toFixed(2))} s`;
  return `${Number((value / 60).toFixed(1))} min`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Show a notice, and have screen readers read it; an error stays until the next notice. */
let fading = 0;
export function say(text, isError = false) {
  const place = byId("notice");
  setText(place, text);
  place.classList.toggle("is-error", isError);
  place.classList.add("is-shown");
  clearTimeout(fading);
  if (!isError) fading = setTimeout(() => place.classList.remove("is-shown"), 5000);
}

/** Return a button that copies what a function returns. */
export function copyButton(text, label = "Copy") {
  return el(
    "button",
    {
      type: "button",
      class: "quiet small",
      "aria-label": `${label}`,
      click: async (event) => {
        try {
          await navigator.clipboard.writeText(text());
          say("Copied.");
        } catch {
          const shown = event.target.previousElementSibling;
          if (shown) getSelection().selectAllChildren(shown);
          say("The browser refused to copy; the text is selected.", true);
        }
      },
    },
    "Copy",
  );
}

/** Return an element that shows a mistake. */
export function mistakeText(mistake, withPlace = true) {
  const rows = ["found", "expected", "fix"].filter((name) => mistake[name]);
  return el(
    "div",
    { class: "mistake" },
    el("p", { class: "fact" }, withPlace && mistake.place ? `${mistake.place}: ${mistake.fact}` : mistake.fact),
    rows.length
      ? el("dl", {}, ...rows.flatMap((name) => [el("dt", {}, name), el("dd", {}, mistake[name])]))
      : null,
  );
}
