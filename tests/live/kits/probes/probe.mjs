// The probe of the Node kit; see test_kit_conformance.py.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';

import { Unsupported, run } from './kit.mjs';

if (process.argv[2] === 'loud') console.log('printed while the SDK is loaded');

class TaskFailed extends Error {
  constructor(fields) {
    super('the task failed');
    this.fields = { task_id: '1', description: '', stack_trace: null, version: undefined, ...fields };
  }
}

class Base extends Error {
  name = 'FakeError';
}

class FakeLate extends Base {}

const ex = class ex extends Base {};

class Unprintable extends Error {
  get message() {
    throw this;
  }
}
Object.defineProperty(Unprintable.prototype, 'constructor', { get() { throw this; } });

// As a bundler leaves a class behind, with and without a name of its own for its errors.
const s = class s extends Error {
  name = 'FakeTimeoutError';
};
const qt = class qt extends Error {};
const unnamed = (() => class extends Error {
  name = 'FakeError';
})();

class Model {
  constructor() {
    this.type = 'timeout';
    this.absent = undefined;
  }
}

// As the JSON libraries' objects are: what it holds is not in its properties.
class Foreign {
  #members = [];
  [Symbol.iterator]() {
    return this.#members[Symbol.iterator]();
  }
}

class Throws {
  get body() {
    throw new RangeError('a lazy body');
  }
}
Object.defineProperty(Throws.prototype, 'toJSON', { value() { return this.body; } });

const within = {};
within.self = within;

const deep = (levels) => (levels > 1 ? [deep(levels - 1)] : []);

const PAYLOADS = {
  nan: { a: { b: [1, NaN] } },
  infinity: -Infinity,
  foreign: { a: [new Foreign()] },
  throws: { a: [new Throws()] },
  date: { a: [new Date(0)] },
  map: { a: new Map() },
  bytes: { a: Buffer.from('x') },
  function: { a: () => 1 },
  symbol: [Symbol('s')],
  hole: [undefined],
  nothing: undefined,
  loop: within,
  null: null,
  model: new Model(),
  'own-json': { a: { toJSON: () => ({ b: 1 }) } },
  'long-int': { a: 10n ** 5000n },
  digits: [10n ** 40n, 2 ** 53 - 1, -0.5, 1e300],
  numbers: [0.1, -0.5, 1.5e300, 9007199254740993n],
  text: { text: 'é\u2028\x7f\n"\\' },
  surrogate: { text: '\ud800 and é' },
  proto: JSON.parse('{"__proto__": 1}'),
};

const ERRORS = {
  fails: new TaskFailed(),
  'fails-oddly': new TaskFailed({ description: NaN }),
  'fails-brokenly': new TaskFailed({ description: new Throws() }),
  caused: Object.assign(new TaskFailed(), { cause: new RangeError() }),
  'language-error': new RangeError('no \udfff divisor'),
  minified: new s('too late'),
  'minified-nameless': new qt('too late'),
  unnamed: new unnamed('too late'),
  'named-by-base': new FakeLate('too late'),
  'minified-named-by-base': new ex('too late'),
  renamed: Object.assign(new TaskFailed(), { name: 'Renamed' }),
  'thrown-text': 'just text',
  undefined,
  bare: Object.create(null),
  unprintable: new Unprintable(),
  unsupported: new Unsupported('no overload with the interval alone'),
  undescribable: new SyntaxError('describe is broken'),
  'undescribable-unprintable': new SyntaxError('unprintable'),
};

const gates = new Map();
function gate(name) {
  if (!gates.has(name)) {
    const opened = {};
    opened.promise = new Promise((resolve) => (opened.open = resolve));
    gates.set(name, opened);
  }
  return gates.get(name);
}

function payload(name, otherwise) {
  if (name.startsWith('deep:')) return deep(Number(name.slice(5)));
  return Object.hasOwn(PAYLOADS, name) ? PAYLOADS[name] : otherwise;
}

async function untilCancelled(signal, isOwn) {
  try {
    await sleep(10_000, undefined, { signal });
  } catch (error) {
    throw isOwn ? new TaskFailed() : error;
  }
}

let built = 0;

const adapter = {
  sdk: { name: 'fake', version: '1.2.3' },
  helper: 'Fake.wait',
  resultPath: 'data.result',
  capabilities: { non_blocking: true, cancel: true },

  async connect(url, key, secret) {
    if (key === 'refused') throw new Error('this key builds no client');
    if (key === 'unprintable') throw new Unprintable();
    await null; // a client that takes its time is still one client
    built += 1;
    return { number: built, url, key, secret };
  },

  wait(client, taskId, options, signal) {
    const name = String(taskId);
    if (name.startsWith('until-cancelled')) return untilCancelled(signal, name.endsWith('-own'));
    if (Object.hasOwn(ERRORS, name)) throw ERRORS[name]; // at once: not every helper is an async function
    if (name.startsWith('gate:')) return gate(name).promise;
    if (name.startsWith('prints:')) {
      const line = name.slice('prints:'.length);
      console.log(line);
      writeSync(1, `${line}\n`);
      spawnSync('sh', ['-c', 'cat; echo "$0"', line], { stdio: 'inherit' });
    }
    if (name === 'stdin') return readFileSync(0, 'utf8');
    if (name === 'leaves-a-thread') setTimeout(() => {}, 1000);
    if (name === 'sleeps') return sleep(31);
    return payload(name, { task_id: taskId, options, client });
  },

  async getTask(client, taskId) {
    const result = payload(taskId, null);
    return { task_id: taskId, status: 'failed', result, error: new Model(), created_at: new Date(0) };
  },

  operations: {
    open(client, { gate: name }) {
      gate(name).open(null);
      return name;
    },
  },

  describe(error) {
    if (error instanceof SyntaxError) throw error.message.includes('broken') ? new Error('describe is broken') : new Unprintable();
    return error instanceof TaskFailed && { kind: 'task', fields: error.fields };
  },
};

if (process.argv[2] === 'bare') {
  run({ sdk: adapter.sdk, helper: '', connect: adapter.connect, capabilities: { timeout_resolution: 1 } });
} else {
  run(adapter);
}
