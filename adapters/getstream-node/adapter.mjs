/** The adapter of Stream's Node SDK. */

import { run } from '../kits/node/kit.mjs';
import { readFile } from 'node:fs/promises';
import { StreamClient } from '@stream-io/node-sdk';

// The SDK's exports leave its manifest out.
const manifest = new URL('node_modules/@stream-io/node-sdk/package.json', import.meta.url);
const { version } = JSON.parse(await readFile(manifest, 'utf8'));

run({
  sdk: { name: '@stream-io/node-sdk', version },
  helper: '', // it ships none
  capabilities: { non_blocking: true },

  connect: (basePath, apiKey, apiSecret) => new StreamClient(apiKey, apiSecret, { basePath }),

  getTask: (client, id) => client.getTask({ id }),

  operations: {
    async delete_channels(client, { cids, hard_delete }) {
      const response = await client.chat.deleteChannels({ cids, hard_delete });
      return response.task_id;
    },
    async export_channels(client, { cids }) {
      const response = await client.chat.exportChannels({ channels: cids.map((cid) => ({ cid })) });
      return response.task_id;
    },
    async export_users(client, { user_ids }) {
      const response = await client.exportUsers({ user_ids });
      return response.task_id;
    },
    async delete_users(client, { user_ids }) {
      const response = await client.deleteUsers({ user_ids });
      return response.task_id;
    },
  },

  describe({ message, code, metadata }) {
    // StreamError, the class of all its errors, is not exported; it knows the status where the API answered.
    if (metadata?.responseCode === undefined) return;
    return { kind: 'api', fields: { status_code: metadata.responseCode, code, message } };
  },
});
