/**
 * A small client on fetch, with a wait helper that keeps every promise of the documentation. What the API looks
 * like is in api.json. It stands where your SDK will stand: adapter.mjs is the only file that knows it.
 */

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export const API = JSON.parse(readFileSync(new URL('api.json', import.meta.url), 'utf8'));

const REQUEST_TIMEOUT_MS = 60_000; // of requests that no wait's deadline bounds

const LONGEST_TIMER_MS = 2 ** 31 - 1; // Node runs a longer one after 1 ms

// The poll at the deadline needs some time to be answered: a twentieth of the timeout, at most a second.
const LAST_POLL_SHARE = 1 / 20;
const LAST_POLL_LIMIT_MS = 1000;

/** A task that failed; `fields` has what the API documents of it. */
export class TaskError extends Error {
  constructor(task) {
    super(`task ${task.task_id} failed: ${JSON.stringify(task.error) ?? 'the server gave no reason'}`);
    this.fields = task.fields;
  }
}

/** An answer that did not come, or that is not the documented one. */
export class TransportError extends Error {
  /** @param {'timeout' | 'connection' | 'malformed_answer'} errorType */
  constructor(errorType, message, options) {
    super(message, options);
    this.errorType = errorType;
  }
}

/** An answer with a status that is not 2xx. */
export class ApiError extends Error {
  constructor(statusCode, body) {
    super(body?.message ?? `HTTP ${statusCode}`);
    this.statusCode = statusCode;
  }
}

/** A client of one application, for any number of calls at once. */
export class TaskClient {
  #baseUrl;
  #query;
  #headers;

  constructor(apiKey, apiSecret, { baseUrl }) {
    this.#baseUrl = baseUrl;
    const known = { key: apiKey, secret: apiSecret, token: serverToken(apiSecret) };
    const filled = (kinds) => Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, known[kind]]));
    this.#query = new URLSearchParams(filled(API.query)).toString();
    this.#headers = {
      ...filled(API.headers),
      // A connection for each request: one that was kept may be closed by the server just as the next poll is sent.
      // At a poll a second it costs next to nothing.
      Connection: 'close',
    };
  }

  /**
   * Poll until the task has ended and return its result. The first poll is made at once, the last one at the deadline.
   *
   * Throws TaskError for a failed task, and TransportError with the errorType "timeout" for a missed deadline, after
   * which the task may still be running on the server. Once `signal` is aborted, it throws as fetch does.
   */
  async waitForTask(
    taskId,
    { pollIntervalMs, timeoutMs = (API.wait_timeout ?? Infinity) * 1000, maxPolls = API.max_polls, signal } = {},
  ) {
    const deadline = performance.now() + timeoutMs;
    const lastPollMs = Math.min(timeoutMs * LAST_POLL_SHARE, LAST_POLL_LIMIT_MS);
    const { first, add, times, most } = API.pauses; // in seconds
    let pauseMs = pollIntervalMs ?? first * 1000;
    let isLast = false;
    for (let polls = 1; ; polls += 1) {
      const limitMs = timeoutMs === Infinity ? REQUEST_TIMEOUT_MS : Math.max(deadline - performance.now(), lastPollMs);
      const task = await this.#getTask(taskId, limitMs, signal);
      if (API.done.includes(task.status)) return task.returned;
      if (API.failed.includes(task.status)) throw new TaskError(task);
      const leftMs = deadline - performance.now();
      if (isLast || leftMs <= 0 || polls === maxPolls) {
        throw new TransportError('timeout', `task ${taskId} was '${task.status}' after ${polls} polls, ${timeoutMs} ms`);
      }
      isLast = leftMs <= pauseMs; // not seen from the clock: a sleep may wake a tick early
      await sleep(Math.min(pauseMs, leftMs, LONGEST_TIMER_MS), undefined, { signal });
      if (pollIntervalMs === undefined) pauseMs = Math.min(pauseMs * times + add * 1000, most * 1000);
    }
  }

  /** Ask for the task once; a failed one is returned like any other. */
  async getTask(taskId) {
    const { task_id, status, result, error } = await this.#getTask(taskId, REQUEST_TIMEOUT_MS);
    return { task_id, status, result, error };
  }

  /** Begin an operation and return the id of its task; an SDK has a method for each of them. */
  async begin(operation, args) {
    const known = API.operations[operation];
    const named = at(args, known.from);
    let { path } = known;
    let body = args;
    if (path.includes('{token}')) {
      path = path.replace('{token}', encodeURIComponent(named));
      body = {};
    } else if (known.to) {
      const more = nested(known.to, named);
      body = Array.isArray(more) ? more : { ...args, ...more };
    }
    if (Object.keys(body).length === 0) body = undefined;
    return at(await this.#send(known.method, path, REQUEST_TIMEOUT_MS, { body }), known.task_id);
  }

  async #getTask(taskId, timeoutMs, signal) {
    const path = API.poll.path.replace('{task_id}', () => encodeURIComponent(taskId));
    const answer = await this.#send(API.poll.method, path, timeoutMs, { signal });
    const task = places(answer, API.paths);
    if (typeof task.status !== 'string') throw new TransportError('malformed_answer', 'the answer has no status');
    task.task_id ??= taskId;
    task.fields = places(answer, API.exception_fields);
    return task;
  }

  async #send(method, path, timeoutMs, { body, signal }) {
    signal?.throwIfAborted();
    const controller = new AbortController(); // AbortSignal.any comes with Node.js 20 only
    const cancel = () => controller.abort(signal.reason);
    const expire = () => controller.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(expire, Math.min(Math.max(Math.ceil(timeoutMs), 0), LONGEST_TIMER_MS));
    signal?.addEventListener('abort', cancel);
    const request = { method, headers: this.#headers, redirect: 'manual', signal: controller.signal };
    if (body) {
      request.headers = { ...this.#headers, 'Content-Type': 'application/json' };
      request.body = JSON.stringify(body);
    }
    let response, text;
    try {
      response = await fetch(`${this.#baseUrl}${path}${this.#query && '?'}${this.#query}`, request);
      text = await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      const errorType = error.name === 'TimeoutError' ? 'timeout' : 'connection';
      throw new TransportError(errorType, `${path}: ${error.cause?.message ?? error.message}`, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    }
    const answer = parse(text);
    if (!response.ok) throw new ApiError(response.status, answer);
    if (answer === undefined) throw new TransportError('malformed_answer', `${path}: the answer is not JSON`);
    return answer;
  }
}

/** Return what is at a dotted path, null if there is nothing; "*" is the value itself. */
function at(value, path) {
  if (path === '*') return value;
  if (path === '') return null;
  for (const step of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return null;
    value = value[step];
  }
  return value;
}

function places(value, paths) {
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, at(value, path)]));
}

/** Return an object, or a list, that has `leaf` at a dotted path and nothing else. */
function nested(path, leaf) {
  return path.split('.').reduceRight((inner, step) => (/^\d+$/.test(step) ? [inner] : { [step]: inner }), leaf);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Return a JSON Web Token (HS256) that lets a server act for the application. */
function serverToken(secret) {
  const encode = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ server: true })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
