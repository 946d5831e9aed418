/** The adapter of the task client: copy this folder, and let the functions below call your SDK. */

import { run } from './kit.mjs';
import { ApiError, TaskClient, TaskError, TransportError } from './taskclient.mjs';

run({
  sdk: { name: 'taskclient', version: '1.0.0' },
  helper: 'TaskClient.waitForTask',
  resultPath: '',
  capabilities: { non_blocking: true, cancel: true },

  connect: (baseUrl, apiKey, apiSecret) => new TaskClient(apiKey, apiSecret, { baseUrl }),

  wait: (client, taskId, { poll_interval, timeout }, signal) =>
    client.waitForTask(taskId, {
      signal,
      ...(poll_interval !== undefined && { pollIntervalMs: poll_interval * 1000 }),
      ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    }),

  getTask: (client, taskId) => client.getTask(taskId),

  operations: {
    delete_channels: (client, { cids, hard_delete }) => client.deleteChannels(cids, { hardDelete: hard_delete }),
    export_channels: (client, { cids }) => client.exportChannels(cids),
    export_users: (client, { user_ids }) => client.exportUsers(user_ids),
    delete_users: (client, { user_ids }) => client.deleteUsers(user_ids),
  },

  describe(error) {
    if (error instanceof TaskError) {
      const { taskId, errorType, description, stackTrace, version } = error;
      return {
        kind: 'task',
        fields: { task_id: taskId, error_type: errorType, description, stack_trace: stackTrace, version },
      };
    }
    if (error instanceof TransportError) return { kind: 'transport', fields: { error_type: error.errorType } };
    if (error instanceof ApiError) {
      const { statusCode, code, message } = error;
      return { kind: 'api', fields: { status_code: statusCode, code, message } };
    }
  },
});
