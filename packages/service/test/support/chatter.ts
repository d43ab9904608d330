import { setTimeout as delay } from 'node:timers/promises';
import { endProcess } from '../../src/ending.ts';
import { createLog } from '../../src/log.ts';

// Logs `count` numbered lines, answers SIGTERM with one more, and ends with code 3.
const [count = '10', flushMs = '250'] = process.argv.slice(2);
const log = createLog({ service: 'chatter', version: '0', level: 'info', secrets: ['s3cret-word'] });
process.on('SIGTERM', async () => {
  log.warn({ event: 'last' }, 'The last line.');
  process.stderr.write('stopping\n');
  await log.flush(Number(flushMs));
  endProcess(process, 3);
});
for (let line = 1; line <= Number(count); line += 1) {
  log.info({ event: 'line', line, padding: 'x'.repeat(900) }, `Line ${line} with s3cret-word.`);
  if (line % 100 === 0) await delay(1);
}
process.stderr.write('said all\n');
setInterval(() => undefined, 1_000);
