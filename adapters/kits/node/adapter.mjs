/** The adapter of the task client: copy this folder, and let the functions below call your SDK. */

import { run } from './kit.mjs';
import { API, ApiError, TaskClient, TaskError, TransportError } from './taskclient.mjs';

run({
  sdk: { name: 'example client', version: '1.0.0' },
  helper: 'TaskClient.waitForTask',
  resultPath: '',
  capabilities: { non_blocking: true, cancel: true, options: API.options },

  connect: (baseUrl, apiKey, apiSecret) => new TaskClient(apiKey, apiSecret, { baseUrl }),

  wait: (client, taskId, { poll_interval, timeout, max_polls }, signal) =>
    client.waitForTask(taskId, {
      signal,
      ...(poll_interval !== undefined && { pollIntervalMs: poll_interval * 1000 }),
      ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
      ...(max_polls !== undefined && { maxPolls: max_polls }),
    }),

  getTask: (client, taskId) => client.getTask(taskId),

  // Your SDK has a method for each: { name: (client, args) => client.method(args.first), … }
  operations: Object.fromEntries(
    Object.keys(API.operations).map((name) => [name, (client, args) => client.begin(name, args)]),
  ),

  describe(error) {
    if (error instanceof TaskError) return { kind: 'task', fields: error.fields };
    if (error instanceof TransportError) {
      if (error.errorType === 'timeout') return API.timeout;
      return { kind: 'transport', fields: { error_type: error.errorType } };
    }
    if (error instanceof ApiError) {
      const { statusCode, message } = error;
      return { kind: 'api', fields: { status_code: statusCode, message } };
    }
  },
});
