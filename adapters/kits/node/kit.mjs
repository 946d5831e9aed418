/**
 * The Node side of waitproof's adapter protocol, version 1: one file, no dependencies, Node.js 18 or later.
 *
 * It owns the lines on stdin and stdout, the calls in flight, the clients by name and the shape of every answer.
 * What an SDK is called, how its client is built and which errors it has is said in an object, handed to `run`:
 *
 *     run({
 *       sdk: { name: 'my-sdk', version: '1.0.0' },
 *       helper: 'Client.waitForTask',
 *       resultPath: 'data.result', // where in what the helper returns the payload lies; '' is the payload itself
 *       capabilities: {}, // on top of what the kit sees for itself, under the protocol's names
 *       connect: (baseUrl, apiKey, apiSecret) => new Client(apiKey, apiSecret, { baseUrl }),
 *       wait: (client, taskId, options) => client.waitForTask(taskId, options), // resolves to the payload
 *       getTask: (client, taskId) => client.getTask(taskId), // has task_id, status, result and error
 *       operations: { export_users: async (client, { user_ids }) => (await client.exportUsers(user_ids)).task_id },
 *       describe: (error) => error instanceof TaskError && { kind: 'task', fields: { task_id: error.taskId } },
 *     });
 *
 * `wait` or `getTask` that is left out says that the SDK has none. `options` holds `poll_interval` and `timeout` in
 * seconds, each only where it was given: that is how the helper's defaults are tested.
 *
 * The one fact to know: whatever leaves `wait`, `getTask` or an operation as an error is reported as what the SDK's
 * caller saw, so keep these to the call itself. An error anywhere else is an adapter error. Import the kit before
 * the SDK: from then on, what is printed goes to stderr.
 */

import { inspect } from 'node:util';

const PROTOCOL = 1;
const MAX_DEPTH = 100; // scenarios end at 64 levels; the harness reads no answer of 200

const writeOut = process.stdout.write.bind(process.stdout);
process.stdout.write = (...args) => process.stderr.write(...args);

/** Throw it in `wait`, `getTask` or an operation for a call that the SDK's signature cannot express. */
export class Unsupported extends Error {}

/** Serve the calls on stdin; at the end of stdin, end the process when all of them have been answered. */
export async function run(adapter) {
  const session = new Session(adapter);
  const inFlight = new Set();
  for await (const line of lines(process.stdin)) {
    const call = session.receive(line);
    inFlight.add(call);
    call.finally(() => inFlight.delete(call));
  }
  await Promise.all(inFlight);
  writeOut('', () => process.exit(0)); // what the SDK left open would keep the process alive
}

class Session {
  #adapter;
  #connection; // the hello, undefined before it came
  #clients = new Map(); // of promises, so that calls at once build one client

  constructor(adapter) {
    this.#adapter = adapter;
  }

  async receive(line) {
    let message;
    try {
      message = read(line);
    } catch (error) {
      log(`a line that is no message (${error.message}): ${inspect(line.toString().slice(0, 200))}`);
      return;
    }
    if (message.op === 'hello') {
      this.#greet(message);
    } else if (message.id === undefined) {
      log(`a call without an id: ${inspect(line.toString().slice(0, 200))}`);
    } else {
      send({ id: message.id, ...(await this.#answer(message)) });
    }
  }

  #greet(message) {
    this.#connection = message;
    const { sdk, helper, resultPath = '', wait, getTask, operations = {}, capabilities } = this.#adapter;
    send({
      op: 'hello',
      protocol: PROTOCOL,
      sdk: { language: 'javascript', runtime: `Node.js ${process.versions.node}`, ...sdk },
      helper,
      result_path: resultPath,
      capabilities: {
        wait: Boolean(wait),
        get_task: Boolean(getTask),
        operations: Object.keys(operations),
        max_concurrency: 0,
        ...capabilities,
      },
    });
  }

  async #answer(message) {
    if (message.op === 'ping') return { outcome: 'returned' };
    try {
      const { member, call } = this.#bind(message);
      const client = await this.#client(message.client ?? 'default');
      const { returned, error, failed, elapsed } = await attempt(() => call(client));
      if (error instanceof Unsupported) return { outcome: 'unsupported', reason: error.message };
      return {
        ...(failed ? { outcome: 'raised', exception: this.#describe(error) } : answerWith(member, returned)),
        ...(message.op === 'wait' && { elapsed }),
      };
    } catch (error) {
      log(inspect(error));
      return { outcome: 'adapter_error', message: textOf(error) };
    }
  }

  /** Return the call, and the answer's member for what it resolves to. */
  #bind({ op, task_id: taskId, options = {}, operation, arguments: given }) {
    const { wait, getTask, operations = {} } = this.#adapter;
    if (op === 'begin') {
      if (!Object.hasOwn(operations, operation)) throw new Error(`unknown operation '${operation}'`);
      return { member: 'task_id', call: (client) => operations[operation](client, given) };
    }
    if (!(op === 'wait' && wait) && !(op === 'get_task' && getTask)) throw new Error(`unknown op '${op}'`);
    if (taskId === undefined) throw new Error('the call has no task_id');
    if (op === 'wait') return { member: 'result', call: (client) => wait(client, taskId, options) };
    return { member: 'task', call: async (client) => taskOf(await getTask(client, taskId)) };
  }

  #client(name) {
    if (!this.#connection) throw new Error('a call before hello');
    if (!this.#clients.has(name)) {
      const { base_url: baseUrl, api_key: apiKey, api_secret: apiSecret } = this.#connection;
      // In an async function, so that an error is kept as the promise's.
      this.#clients.set(name, (async () => this.#adapter.connect(baseUrl, apiKey, apiSecret))());
    }
    return this.#clients.get(name);
  }

  #describe(error) {
    const { kind = 'other', fields = {} } = this.#adapter.describe?.(error) || {};
    return { kind, type: typeOf(error), message: textOf(error), fields: encodeFields(fields) };
  }
}

async function attempt(call) {
  const started = performance.now(); // monotonic
  const elapsed = () => Math.round((performance.now() - started) * 1000) / 1e6; // ms to s
  try {
    const returned = await call();
    return { returned, elapsed: elapsed() };
  } catch (error) {
    return { error, failed: true, elapsed: elapsed() }; // `throw undefined` is a failure, too
  }
}

function answerWith(member, returned) {
  try {
    return { outcome: 'returned', [member]: new Raw(encode(returned)) };
  } catch (error) {
    if (error instanceof Unencodable) return { outcome: 'returned', unencodable: error.message };
    throw error;
  }
}

/** Return the four fields of a task, those that it has. */
function taskOf(task) {
  const names = ['task_id', 'status', 'result', 'error'];
  return Object.fromEntries(names.filter((name) => task[name] !== undefined).map((name) => [name, task[name]]));
}

function encodeFields(fields) {
  const encoded = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue; // the error does not have it
    try {
      encoded[name] = new Raw(encode(value));
    } catch {
      encoded[name] = inspect(value);
    }
  }
  return encoded;
}

function typeOf(error) {
  return error?.constructor?.name || typeof error;
}

function textOf(error) {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return '<it has no text>'; // such as an object without a prototype
  }
}

/** JSON that is written as it is. */
class Raw {
  constructor(text) {
    this.text = text;
  }
}

/** What JSON cannot carry, and where it lies. */
class Unencodable extends Error {}

/**
 * Return a value as JSON, with every digit of a BigInt and with lone surrogates escaped. As in JSON.stringify, a
 * property that is undefined is left out; whatever else JSON cannot carry throws, such as "NaN at a.b[0]".
 */
function encode(value, path = '', depth = 0) {
  const refuse = (what) => {
    throw new Unencodable(path ? `${what} at ${path}` : `${what} at the top`);
  };
  if (depth > MAX_DEPTH) throw new Unencodable('nested too deeply, or within itself');
  if (value instanceof Raw) return value.text;
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : refuse(value);
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item, index) => encode(item, `${path}[${index}]`, depth + 1)).join()}]`;
  }
  // Instances of the SDK's classes are carried by their properties; a Date, a Map or a Uint8Array is not JSON.
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    refuse(typeof value === 'object' ? typeOf(value) : typeof value);
  }
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  const below = (key) => (path ? `${path}.${key}` : key);
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${encode(item, below(key), depth + 1)}`).join()}}`;
}

function send(answer) {
  writeOut(`${encode(answer)}\n`);
}

/** Read a line's object; an integer beyond 2^53 becomes a BigInt where this Node.js shows its digits (21 does). */
function read(line) {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(line);
  const message = JSON.parse(text, (_key, value, context) => {
    const isInexact = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
    return isInexact && /^-?\d+$/.test(context?.source) ? BigInt(context.source) : value;
  });
  if (message === null || typeof message !== 'object' || Array.isArray(message)) throw new Error('it is no object');
  return message;
}

/** Split at LF alone: node:readline also splits at U+2028, which JSON may hold. */
async function* lines(stream) {
  let rest = [];
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield* filled(Buffer.concat([...rest, chunk.subarray(start, end)]));
      rest = [];
      start = end + 1;
    }
    rest.push(chunk.subarray(start));
  }
  yield* filled(Buffer.concat(rest));
}

function filled(line) {
  return line.toString().trim() ? [line] : [];
}

function log(text) {
  process.stderr.write(`waitproof kit: ${text}\n`);
}
