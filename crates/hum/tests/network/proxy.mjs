// What people who change nothing see: viem over a proxy. Prints one JSON object.
//   node proxy.mjs CONTRACTS_DIR HTTP_URL WS_URL
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [contracts, http, ws] = process.argv.slice(2);
const require = createRequire(join(contracts, 'package.json'));
const { createPublicClient, http: overHttp, webSocket } = require('viem');

const seen = (block) => ({ number: Number(block.number), hash: block.hash });
const client = createPublicClient({ transport: overHttp(http, { batch: true }) });

// Batched by the transport: one body, three calls.
const [finalized, safe, certified] = await Promise.all([
  client.getBlock({ blockTag: 'finalized' }),
  client.getBlock({ blockTag: 'safe' }),
  client.request({ method: 'hum_certifiedHead', params: [] }),
]);
const address = '0x000000000000000000000000000000000000dEaD';
const balance = await client.getBalance({ address, blockTag: 'finalized' });

const socket = createPublicClient({ transport: webSocket(ws) });
const watched = (blockTag) =>
  new Promise((resolve, reject) => {
    const blocks = [];
    const stop = socket.watchBlocks({
      blockTag,
      poll: true,
      pollingInterval: 100,
      onError: reject,
      onBlock: (block) => {
        blocks.push(seen(block));
        if (blocks.length === 3) {
          stop();
          resolve(blocks);
        }
      },
    });
  });
const blocks = await watched('latest');
const safeOverSocket = seen(await socket.getBlock({ blockTag: 'safe' }));

console.log(
  JSON.stringify({
    finalized: seen(finalized),
    safe: seen(safe),
    certified,
    balance: balance.toString(),
    blocks,
    safeOverSocket,
  }),
);
process.exit(0);
