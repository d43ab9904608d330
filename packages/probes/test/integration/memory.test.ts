import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

// In a process of its own, whose garbage can be collected on demand.
const PROGRAM = `
import { createMonitor } from '${new URL('../../src/index.ts', import.meta.url)}';
import { createFakeClock, scriptedProbe } from '${new URL('../../src/testing.ts', import.meta.url)}';
const clock = createFakeClock();
let turn = 0;
const mixed = () => {
  turn += 1;
  if (turn % 3 === 0) throw new Error('run ' + turn + ' failed');
  return turn % 3 === 1 ? { value: turn, details: { turn } } : { status: 'warn', output: 'run ' + turn };
};
const probes = Array.from({ length: 10 }, (_, index) => scriptedProbe('p' + index, mixed));
const monitor = createMonitor({ probes, interval: 1000, timeout: 500, spread: 0, failureThreshold: 1, clock });
let runs = 0;
monitor.on('run', () => { runs += 1; });
monitor.start();
const heap = () => { gc(); return process.memoryUsage().heapUsed; };
while (runs < 100_000) await clock.advance(100_000);
const early = heap();
while (runs < 1_000_000) await clock.advance(100_000);
const late = heap();
await monitor.close();
console.log(JSON.stringify({ runs, early, late, timers: clock.timers }));
`;

test('a million runs leave the heap as it was after the first hundred thousand', {
  timeout: 300_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    '--input-type=module',
    '-e',
    PROGRAM,
  ]);
  const { runs, early, late, timers } = JSON.parse(stdout);
  expect(runs).toBeGreaterThanOrEqual(1_000_000);
  expect(timers).toBe(0);
  // One byte kept of each run would show.
  expect(late - early).toBeLessThan(900_000);
});
