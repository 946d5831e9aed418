/** The adapter of Meilisearch's JavaScript SDK. */

import { run } from '../kits/node/kit.mjs';
import { Agent } from 'undici';
import manifest from 'meilisearch/package.json' with { type: 'json' };
import {
  Meilisearch,
  MeilisearchApiError,
  MeilisearchRequestError,
  MeilisearchTaskTimeOutError,
} from 'meilisearch';

run({
  sdk: { name: 'meilisearch', version: manifest.version },
  helper: 'TaskClient.waitForTask',
  capabilities: { non_blocking: true, no_timeout: true },

  // All clients share Node's connections, so one would meet what another's server has closed: each has its own here.
  connect: (host, _apiKey, apiSecret) =>
    new Meilisearch({ host, apiKey: apiSecret, requestInit: { dispatcher: new Agent() } }),

  wait(client, uid, options) {
    const given = {};
    if ('poll_interval' in options) given.interval = Math.round(options.poll_interval * 1000);
    // A timeout of less than 1 disables it, as the documentation of WaitOptions says.
    if ('timeout' in options) given.timeout = options.timeout === null ? 0 : Math.round(options.timeout * 1000);
    return client.tasks.waitForTask(uid, given);
  },

  async getTask(client, id) {
    const { uid, status, details, error } = await client.tasks.getTask(id);
    return { task_id: uid, status, result: details, error };
  },

  operations: {
    async add_documents(client, { ids }) {
      return (await client.index('movies').addDocuments(ids.map((id) => ({ id, title: 'Carol' })))).taskUid;
    },
    async delete_documents(client, { ids }) {
      return (await client.index('movies').deleteDocuments(ids)).taskUid;
    },
    async swap_indexes(client, { indexes }) {
      return (await client.swapIndexes([{ indexes, rename: false }])).taskUid;
    },
  },

  describe(error) {
    if (error instanceof MeilisearchApiError) {
      return { kind: 'api', fields: { status_code: error.response.status, code: error.cause?.code } };
    }
    if (error instanceof MeilisearchTaskTimeOutError || error instanceof MeilisearchRequestError) {
      return { kind: 'transport', fields: {} };
    }
  },
});
