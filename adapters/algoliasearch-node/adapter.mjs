/** The adapter of Algolia's JavaScript client. */

import { run } from '../kits/node/kit.mjs';
import { algoliasearch, apiClientVersion } from 'algoliasearch';

const indexName = 'movies';

run({
  sdk: { name: 'algoliasearch', version: apiClientVersion },
  helper: 'SearchClient.waitForTask',
  capabilities: { non_blocking: true, options: ['poll_interval', 'max_polls'], schedules: true },

  // One host; the API's key is the secret.
  connect(baseUrl, apiKey, apiSecret) {
    const { hostname: url, port, protocol } = new URL(baseUrl);
    const hosts = [{ url, port: Number(port), protocol: protocol.slice(0, -1), accept: 'readWrite' }];
    return algoliasearch(apiKey, apiSecret, { hosts });
  },

  wait: (client, taskID, { poll_interval, max_polls }) =>
    client.waitForTask({
      indexName,
      taskID,
      ...(poll_interval !== undefined && { timeout: pauses(poll_interval) }),
      ...(max_polls !== undefined && { maxRetries: max_polls }),
    }),

  getTask: (client, taskID) => client.getTask({ indexName, taskID }),

  operations: {
    async save_object(client, { title }) {
      return (await client.saveObject({ indexName, body: { title } })).taskID;
    },
    async batch(client, { titles }) {
      const requests = titles.map((title) => ({ action: 'addObject', body: { title } }));
      return (await client.batch({ indexName, batchWriteParams: { requests } })).taskID;
    },
  },

  describe({ name, status }) {
    // The classes of its errors are not exported; their names are.
    if (name === 'ApiError' || name === 'DetailedApiError') return { kind: 'api', fields: { status_code: status } };
    if (name === 'RetryError') return { kind: 'transport', fields: {} };
  },
});

/** Return the client's function from the number of retries, from 1, to the pause in milliseconds. */
function pauses(interval) {
  if (typeof interval === 'number') return () => interval * 1000;
  const { first, add = 0, times = 1, most } = interval;
  return (retries) => Math.min(first * times ** (retries - 1) + add * (retries - 1), most) * 1000;
}
