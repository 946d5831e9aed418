/**
 * The Node side of waitproof's adapter protocol, version 1: one file, no dependencies, Node.js 18 or later.
 *
 * It owns the lines on stdin and stdout, the calls in flight, the clients by name and the shape of every answer.
 * The SDK's name, how to build its client and which errors it has belong in an object, which is passed to `run`:
 *
 *     run({
 *       sdk: { name: 'my-sdk', version: '1.0.0' },
 *       helper: 'Client.waitForTask',
 *       resultPath: 'data.result', // path to the payload in what the helper returns; '' is the payload itself
 *       capabilities: {}, // besides those that the kit knows, under the protocol's names
 *       connect: (baseUrl, apiKey, apiSecret) => new Client(apiKey, apiSecret, { baseUrl }),
 *       wait: (client, taskId, options, signal) => client.waitForTask(taskId, options), // resolves to the payload
 *       getTask: (client, taskId) => client.getTask(taskId), // has task_id, status, result and error
 *       operations: { import_file: async (client, { name }) => (await client.importFile(name)).taskId },
 *       describe: (error) => error instanceof TaskError && { kind: 'task', fields: { task_id: error.taskId } },
 *     });
 *
 * Leave out `wait` or `getTask` if the SDK has none. `options` holds `poll_interval` and `timeout` in
 * seconds, and `max_polls`, each only where it was given: that is how the helper's defaults are tested. If the helper takes an
 * AbortSignal, pass `signal` on and add the capability `cancel: true`.
 *
 * The one fact to know: an error that leaves `wait`, `getTask` or an operation is reported as what the SDK's caller
 * saw, so put only the call itself there. An error anywhere else is an adapter error. Import the kit before the SDK:
 * from then on, printed text goes to stderr.
 */

import { Socket } from 'node:net';
import { inspect } from 'node:util';

const PROTOCOL = 1;
const MAX_DEPTH = 200; // levels of one answer, its own object included: the protocol's limit
const MAX_DIGITS = 4300; // of an integer that the harness reads
const MINIFIED = 2; // characters of a class name that a bundler made

// Node.js cannot move its descriptors, so what is printed is sent elsewhere, and a child process or fs.writeSync(1)
// could still use the protocol's. Where the command in adapter.yaml has moved them already, nothing can.
const areMoved = process.env.WAITPROOF_KIT_STREAMS === '3,4';
const input = areMoved ? new Socket({ fd: 3, readable: true, writable: false }) : process.stdin;
const output = areMoved ? new Socket({ fd: 4, readable: false, writable: true }) : process.stdout;
const writeOut = output.write.bind(output);
process.stdout.write = (...args) => process.stderr.write(...args);

/** Throw it in `wait`, `getTask` or an operation for a call that the SDK's signature cannot express. */
export class Unsupported extends Error {}

/**
 * Serve the calls on stdin, until its end and until all of them have been answered. The process ends by itself then,
 * unless the SDK left something behind, such as a timer: that is for the suite to find, so don't call exit.
 */
export async function run(adapter) {
  const session = new Session(adapter);
  const inFlight = new Set();
  for await (const line of lines(input)) {
    const call = session.receive(line);
    inFlight.add(call);
    call.finally(() => inFlight.delete(call));
  }
  await Promise.all(inFlight);
}

class Session {
  #adapter;
  #connection; // the hello, undefined before it came
  #clients = new Map(); // of promises, so that calls at once build one client
  #waits = new Map(); // what aborts each wait in flight, by the call's id

  constructor(adapter) {
    this.#adapter = adapter;
  }

  async receive(line) {
    let message;
    try {
      message = read(line);
    } catch (error) {
      log(`a line that is not JSON (${error.message}): ${inspect(line.toString().slice(0, 200))}`);
      return;
    }
    if (message === null || typeof message !== 'object' || Array.isArray(message)) {
      log(`a line that is not an object: ${inspect(line.toString().slice(0, 200))}`);
    } else if (message.op === 'hello') {
      this.#greet(message);
    } else if (message.id === undefined) {
      log(`a call without an id: ${inspect(line.toString().slice(0, 200))}`);
    } else {
      send({ id: message.id, ...(await this.#answer(message)) });
    }
  }

  #greet(message) {
    const missing = ['base_url', 'api_key', 'api_secret'].find((name) => typeof message[name] !== 'string');
    if (missing) {
      log(`a hello without a text as its '${missing}'`);
      return;
    }
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
        end: true,
        ...capabilities,
      },
    });
  }

  async #answer(message) {
    if (message.op === 'ping') return { outcome: 'returned' };
    if (message.op === 'cancel') return this.#cancel(message);
    const controller = new AbortController();
    if (message.op === 'wait') this.#waits.set(message.id, controller);
    try {
      const { member, call } = this.#bind(message, controller.signal);
      const client = await this.#client(message.client ?? 'default');
      const { returned, error, failed, elapsed } = await attempt(() => call(client));
      if (error instanceof Unsupported) return { outcome: 'unsupported', reason: textOf(error) };
      return {
        ...(failed ? this.#failure(error, controller.signal) : answerWith(member, returned)),
        ...(message.op === 'wait' && { elapsed }),
      };
    } catch (error) {
      log(shown(error));
      return { outcome: 'adapter_error', message: textOf(error) };
    } finally {
      this.#waits.delete(message.id);
    }
  }

  #cancel({ call }) {
    if (!this.#adapter.capabilities?.cancel) return { outcome: 'unsupported', reason: 'the helper takes no signal' };
    this.#waits.get(call)?.abort(); // none where the call has ended
    return { outcome: 'returned' };
  }

  /** Return that a call was cancelled, if that is all that its error says, else the error. */
  #failure(error, signal) {
    const exception = this.#describe(error);
    const isAbort = error === signal.reason || (exception.kind === 'other' && exception.type === 'AbortError');
    return signal.aborted && isAbort ? { outcome: 'cancelled' } : { outcome: 'raised', exception };
  }

  /** Return the call, and the answer's member for what it resolves to. */
  #bind({ op, task_id: taskId, options, operation, arguments: given }, signal) {
    const { wait, getTask, operations = {} } = this.#adapter;
    if (op === 'begin') {
      if (!Object.hasOwn(operations, operation)) throw new Error(`unknown operation '${operation}'`);
      requireObject(given, 'arguments');
      return { member: 'task_id', call: (client) => operations[operation](client, given) };
    }
    if (!(op === 'wait' && wait) && !(op === 'get_task' && getTask)) throw new Error(`unknown op '${op}'`);
    if (taskId === undefined) throw new Error("the call has no 'task_id'");
    requireObject(options ?? {}, 'options');
    if (op === 'wait') return { member: 'result', call: (client) => wait(client, taskId, options ?? {}, signal) };
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
    const { kind = 'other', type = typeOf(error), fields = {} } = this.#adapter.describe?.(error) || {};
    return {
      kind, type, message: textOf(error), fields: encodeFields(fields), cause: causeOf(error),
    };
  }
}

function requireObject(value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Error(`the call's '${name}' are not an object`);
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
    return { outcome: 'returned', [member]: new Raw(encode(returned, '', 1)) };
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
      encoded[name] = new Raw(encode(value, '', 3));
    } catch {
      encoded[name] = shown(value);
    }
  }
  return encoded;
}

/** Return an error's name, which minifying keeps, unless a class that it extends set it; else its constructor's. */
function typeOf(value) {
  try {
    const hasName = [value, value?.constructor?.prototype].some((each) => each && Object.hasOwn(each, 'name'));
    const isName = hasName && typeof value.name === 'string' && value.name;
    if (value instanceof Error && isName && !isInherited(value)) return value.name;
    return value?.constructor?.name || typeof value;
  } catch {
    return typeof value; // its constructor cannot be read
  }
}

/** Say whether an error's name may be the one that all errors of the SDK get from their base class. */
function isInherited({ name, constructor }) {
  const { prototype } = constructor;
  if (Object.hasOwn(prototype, 'name') || constructor.name.length <= MINIFIED) return false;
  const base = Object.getPrototypeOf(prototype).constructor;
  return name !== constructor.name && globalThis[constructor.name] !== constructor && globalThis[base.name] !== base;
}

/** Return the type of an error's cause, '' where it has none. */
function causeOf(error) {
  try {
    const cause = error?.cause ?? undefined;
    return cause === undefined ? '' : typeOf(cause);
  } catch {
    return ''; // a getter that throws
  }
}

function textOf(error) {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return '<it has no text>'; // such as an object without a prototype, or a message that throws
  }
}

function shown(value) {
  try {
    return inspect(value);
  } catch {
    return `<${typeOf(value)} that cannot be shown>`;
  }
}

/** JSON that is written as it is. */
class Raw {
  constructor(text) {
    this.text = text;
  }
}

/** A value that JSON cannot carry, and its place. */
class Unencodable extends Error {}

/**
 * Return a value as JSON, with every digit of a BigInt and with lone surrogates escaped. As in JSON.stringify, a
 * property that is undefined is left out, and an object with a toJSON is what that returns; anything else that JSON
 * cannot carry throws, such as "NaN at a.b[0]". `depth` is the number of the answer's levels around the value.
 */
function encode(value, path = '', depth = 0) {
  if (value instanceof Raw) return value.text;
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return encodeInteger(String(value), path);
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : refuse(value, path);
  if (typeof value !== 'object') refuse(typeof value, path);
  if (depth >= MAX_DEPTH) throw new Unencodable('nested too deeply, or within itself');
  const { json, items, members } = contentOf(value, path);
  if (json !== undefined) return encode(json, path, depth);
  if (items) return `[${items.map((item, index) => encode(item, `${path}[${index}]`, depth + 1)).join()}]`;
  if (!members) refuse(typeOf(value), path);
  const below = (key) => (path ? `${path}.${key}` : key);
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${encode(item, below(key), depth + 1)}`).join()}}`;
}

/** Return what an object is in JSON: the items of an array, the members of an object, or what its toJSON gives. */
function contentOf(given, path) {
  try {
    const isOwn = tagOf(given) === '[object Object]' && typeof given.toJSON === 'function';
    const value = isOwn ? given.toJSON() : given;
    if (value === null || typeof value !== 'object') return { json: value };
    if (Array.isArray(value)) return { items: Array.from(value) };
    // Instances of the SDK's classes are carried by their properties; a Date, a Map or a Uint8Array is not JSON, and
    // neither is a class of collections, whose properties are not its items.
    if (tagOf(value) !== '[object Object]' || typeof value[Symbol.iterator] === 'function') return {};
    return { members: Object.entries(value).filter(([, item]) => item !== undefined) };
  } catch (error) {
    return refuse(`a value that throws ${typeOf(error)}`, path); // a getter or a Proxy of the SDK's
  }
}

function tagOf(value) {
  return Object.prototype.toString.call(value);
}

function encodeInteger(digits, path) {
  return digits.length > MAX_DIGITS ? refuse('an int too long to write', path) : digits;
}

function refuse(what, path) {
  throw new Unencodable(path ? `${what} at ${path}` : `${what} at the top`);
}

function send(answer) {
  writeOut(`${encode(answer)}\n`);
}

/** Read a line; an integer beyond 2^53 becomes a BigInt, so that it keeps its digits. */
function read(line) {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(line);
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  JSON.parse(text); // a mistake is reported in the line as it came
  const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g; // strings, so that no digits in them are taken for a number
  const exact = text.replace(tokens, (token) => (isExact(token) ? token : `"${LONG}${token}"`));
  return JSON.parse(exact, (_key, value) =>
    typeof value === 'string' && value.startsWith(LONG) ? BigInt(value.slice(LONG.length)) : value,
  );
}

const LONG = `${Math.random()} `; // begins no text of the harness

function isExact(token) {
  return !/^-?\d+$/.test(token) || Number.isSafeInteger(Number(token));
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
