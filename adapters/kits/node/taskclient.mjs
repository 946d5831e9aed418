/**
 * A small client of Stream's tasks on fetch, with a wait helper that keeps every promise of the documentation.
 * It stands where your SDK will stand: adapter.mjs is the only file that knows it.
 */

import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const REQUEST_TIMEOUT_MS = 60_000; // of requests that no wait's deadline bounds

const LONGEST_TIMER_MS = 2 ** 31 - 1; // Node runs a longer one after 1 ms

// The poll at the deadline needs some time to be answered: a twentieth of the timeout, at most a second.
const LAST_POLL_SHARE = 1 / 20;
const LAST_POLL_LIMIT_MS = 1000;

/** A task that failed; a field is undefined where the answer says nothing. */
export class TaskError extends Error {
  constructor(taskId, error) {
    super(`task ${taskId} failed: ${error?.description ?? 'the server gave no reason'}`);
    this.taskId = taskId;
    this.errorType = error?.type;
    this.description = error?.description;
    this.stackTrace = error?.stacktrace;
    this.version = error?.version;
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
    this.code = body?.code;
  }
}

/** A client of one application, for any number of calls at once. */
export class TaskClient {
  #baseUrl;
  #query;
  #headers;

  constructor(apiKey, apiSecret, { baseUrl }) {
    this.#baseUrl = baseUrl;
    this.#query = new URLSearchParams({ api_key: apiKey });
    this.#headers = {
      Authorization: serverToken(apiSecret),
      'Stream-Auth-Type': 'jwt',
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
  async waitForTask(taskId, { pollIntervalMs = 1000, timeoutMs = 60_000, signal } = {}) {
    const deadline = performance.now() + timeoutMs;
    const lastPollMs = Math.min(timeoutMs * LAST_POLL_SHARE, LAST_POLL_LIMIT_MS);
    for (let isLast = false; ; ) {
      const task = await this.#getTask(taskId, Math.max(deadline - performance.now(), lastPollMs), signal);
      if (task.status === 'completed') return task.result ?? null;
      if (task.status === 'failed') throw new TaskError(taskId, task.error);
      const leftMs = deadline - performance.now();
      if (isLast || leftMs <= 0) {
        throw new TransportError('timeout', `task ${taskId} was '${task.status}' after ${timeoutMs} ms`);
      }
      isLast = leftMs <= pollIntervalMs; // not seen from the clock: a sleep may wake a tick early
      await sleep(Math.min(pollIntervalMs, leftMs, LONGEST_TIMER_MS), undefined, { signal });
    }
  }

  /** Ask for the task once; a failed one is returned like any other. */
  async getTask(taskId) {
    return this.#getTask(taskId, REQUEST_TIMEOUT_MS);
  }

  async deleteChannels(cids, { hardDelete = false } = {}) {
    return this.#begin('/api/v2/chat/channels/delete', { cids, hard_delete: hardDelete });
  }

  async exportChannels(cids) {
    return this.#begin('/api/v2/chat/export_channels', { channels: cids.map((cid) => ({ cid })) });
  }

  async exportUsers(userIds) {
    return this.#begin('/api/v2/export/users', { user_ids: userIds });
  }

  async deleteUsers(userIds) {
    return this.#begin('/api/v2/users/delete', { user_ids: userIds });
  }

  async #getTask(taskId, timeoutMs, signal) {
    const task = await this.#send(`/api/v2/tasks/${encodeURIComponent(taskId)}`, timeoutMs, { signal });
    if (typeof task?.status !== 'string') throw new TransportError('malformed_answer', 'the answer has no status');
    return task;
  }

  /** Begin an operation and return the id of its task. */
  async #begin(path, body) {
    const answer = await this.#send(path, REQUEST_TIMEOUT_MS, { body });
    if (typeof answer?.task_id !== 'string') {
      throw new TransportError('malformed_answer', 'the answer has no task_id');
    }
    return answer.task_id;
  }

  async #send(path, timeoutMs, { body, signal }) {
    signal?.throwIfAborted();
    const controller = new AbortController(); // AbortSignal.any comes with Node.js 20 only
    const cancel = () => controller.abort(signal.reason);
    const expire = () => controller.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(expire, Math.min(Math.max(Math.ceil(timeoutMs), 0), LONGEST_TIMER_MS));
    signal?.addEventListener('abort', cancel);
    const request = { headers: this.#headers, redirect: 'manual', signal: controller.signal };
    if (body) {
      request.method = 'POST';
      request.headers = { ...this.#headers, 'Content-Type': 'application/json' };
      request.body = JSON.stringify(body);
    }
    let response, text;
    try {
      response = await fetch(`${this.#baseUrl}${path}?${this.#query}`, request);
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
