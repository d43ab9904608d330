// Owns the temporary folder, and outlives the demo: when the pipe to the demo closes, for whatever reason, it ends
// every process that was recorded on it and still runs, the last one first, and removes the folder.

import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endAll, type Recorded } from '../ending.ts';
import { lookUp } from '../process-table.ts';

// Its one way to end is the end of the demo.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
process.stdout.on('error', () => undefined);

const folder = mkdtempSync(join(tmpdir(), 'botwarden-demo-'));
// Root's Postgres runs as another user, who has to get through here.
chmodSync(folder, 0o711);
process.stdout.write(`${folder}\n`);

const recorded: Recorded[] = [];
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', pid, graceMs] = line.split(' ');
  recorded.push({ name, pid: Number(pid), started: lookUp(Number(pid))?.started, graceMs: Number(graceMs) });
}
const left = await endAll(recorded);
await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
for (const name of left) process.stdout.write(`left ${name}\n`);
process.exitCode = left.length === 0 ? 0 : 1;
