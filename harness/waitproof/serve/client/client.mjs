/* Makes tasks on a running `waitproof serve`, looks at their polls and ends them; for tests in JavaScript.

Needs nothing but `fetch`: Node 18 or later, Deno, Bun, or a page of the server's own. */

const DEFAULT_URL = "http://127.0.0.1:8080";

/** Return the functions below for one server; without a URL, the one that WAITPROOF_URL names. */
export function connect(url = globalThis.process?.env?.WAITPROOF_URL || servedFrom() || DEFAULT_URL) {
  const baseUrl = String(url).replace(/\/+$/, "");

  async function api(method, path, body) {
    const response = await fetch(`${baseUrl}/_waitproof${path}`, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = response.status === 204 ? null : await response.json();
    if (!response.ok) throw new Error(explained(answer, response.status));
    return answer;
  }

  return {
    baseUrl,

    async add(task, options = {}) {
      const body = typeof task === "string" ? { scenario: task } : { yaml: JSON.stringify(task) };
      if (options.taskId !== undefined) body.task_id = options.taskId;
      if (options.wait !== undefined) body.wait = options.wait;
      return (await api("POST", "/tasks", body)).task_id;
    },

    async polls(taskId) {
      return (await api("GET", pathOf(taskId))).polls;
    },

    async complete(taskId, ...result) {
      await api("POST", `${pathOf(taskId)}/actions/complete`, result.length ? { result: result[0] } : {});
    },

    async fail(taskId, ...error) {
      await api("POST", `${pathOf(taskId)}/actions/fail`, error.length ? { error: error[0] } : {});
    },
  };
}

function pathOf(taskId) {
  return `/tasks/${encodeURIComponent(String(taskId))}`;
}

function servedFrom() {
  return import.meta.url.startsWith("http") ? new URL(import.meta.url).origin : "";
}

function explained(answer, status) {
  const lines = (answer?.mistakes ?? []).flatMap((each) => [
    each.place ? `${each.place}: ${each.fact}` : each.fact,
    ...["found", "expected", "fix"].filter((name) => each[name]).map((name) => `  ${name}: ${each[name]}`),
  ]);
  return lines.join("\n") || answer?.message || `the server answered ${status}`;
}

export const { baseUrl, add, polls, complete, fail } = connect();
