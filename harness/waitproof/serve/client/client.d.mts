/** One poll of a task; times are in seconds since the first request of the wait. */
export interface Poll {
  /** Its number, from 1. */
  n: number;
  arrived_s: number;
  /** Null while it has no answer. */
  answered_s: number | null;
  /** What was answered: a status of the API, `503`, `drop:reset` or `text`. */
  status: string;
  /** Null where nothing was answered. */
  http: number | null;
  ended: "in_flight" | "answered" | "dropped" | "abandoned" | "stopped";
  /** The client's HTTP library repeated a dropped poll by itself. */
  repeat: boolean;
}

/** How a task behaves, step by step; see docs/reference/scenario.md. */
export interface Behaviour {
  task: readonly object[];
}

export interface Options {
  /** Default: a new one. */
  taskId?: string | number;
  /** What your code passes to its helper, for the verdicts of `waitproof serve`. */
  wait?: { poll_interval_s?: number; timeout_s?: number; max_polls?: number };
}

export interface Server {
  /** Where it listens, without a slash at the end: the base URL for your SDK. */
  readonly baseUrl: string;
  /** Make a task of a scenario, by its name, or of steps; return its id. */
  add(task: string | Behaviour, options?: Options): Promise<string | number>;
  /** Return a task's polls so far. */
  polls(taskId: string | number): Promise<Poll[]>;
  /** Complete a task at its next poll, with a result or the scenario's own. */
  complete(taskId: string | number, result?: unknown): Promise<void>;
  /** Fail a task at its next poll, with an error or the scenario's own. */
  fail(taskId: string | number, error?: unknown): Promise<void>;
}

/** Return a server's functions; without a URL, of the one that WAITPROOF_URL names, else http://127.0.0.1:8080. */
export function connect(url?: string | URL): Server;

export const baseUrl: Server["baseUrl"];
export const add: Server["add"];
export const polls: Server["polls"];
export const complete: Server["complete"];
export const fail: Server["fail"];
