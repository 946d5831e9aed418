/** The adapter of meilisearch-js around 0.50, when the options of waitForTask got other names: both are passed. */

import { run } from '../kits/node/kit.mjs';
import { readFile } from 'node:fs/promises';
import * as sdk from 'meilisearch';

const manifest = new URL('node_modules/meilisearch/package.json', import.meta.url);
const { version } = JSON.parse(await readFile(manifest, 'utf8'));
const TimeOutError = sdk.MeiliSearchTaskTimeOutError ?? sdk.MeiliSearchTimeOutError;

run({
  sdk: { name: 'meilisearch', version },
  helper: 'TaskClient.waitForTask',
  capabilities: { non_blocking: true },

  connect: (host, _apiKey, apiSecret) => new sdk.MeiliSearch({ host, apiKey: apiSecret }),

  wait(client, uid, options) {
    const given = {};
    if ('poll_interval' in options) given.interval = given.intervalMs = Math.round(options.poll_interval * 1000);
    if ('timeout' in options) given.timeout = given.timeOutMs = Math.round(options.timeout * 1000);
    return client.tasks.waitForTask(uid, given);
  },

  describe(error) {
    if (error instanceof sdk.MeiliSearchApiError) return { kind: 'api', fields: {} };
    if (error instanceof TimeOutError || error instanceof sdk.MeiliSearchRequestError) {
      return { kind: 'transport', fields: {} };
    }
  },
});
