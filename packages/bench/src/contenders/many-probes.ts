// node many-probes.ts COUNT KIND: a monitor with COUNT probes every 5 s, `http` for real calls of the bot, `function`
// for probes that only wait for a turn of the event loop. Answers /readyz, and the costs so far on /costs.
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { createMonitor, healthHandler, httpProbe, probe } from '@botwarden/probes';

const [count = '1', kind = 'function'] = process.argv.slice(2);
const url = `${process.env.BOT_URL}/health`;
const monitor = createMonitor({
  interval: 5_000,
  spread: 5_000,
  probes: Array.from({ length: Number(count) }, (_, n) =>
    kind === 'http'
      ? httpProbe({ name: `p${n}`, url })
      : probe(`p${n}`, async () => void (await setImmediate())),
  ),
});
monitor.start();
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
let [since, cpu] = [performance.now(), process.cpuUsage()];
let runs = 0;
monitor.on('run', () => {
  runs += 1;
});
const health = healthHandler(monitor);

createServer((request, response) => {
  if (request.url !== '/costs') return health(request, response);
  const used = process.cpuUsage(cpu);
  const ms = performance.now() - since;
  const costs = {
    corePercent: (used.user + used.system) / 10 / ms,
    delayP99Ms: delay.percentile(99) / 1e6 - 5,
    runsPerSecond: (runs * 1000) / ms,
    groupReadUs: timeOf(() => monitor.group('readiness')),
    snapshotUs: timeOf(() => monitor.snapshot()),
  };
  delay.reset();
  [since, cpu, runs] = [performance.now(), process.cpuUsage(), 0];
  response.end(JSON.stringify(costs));
}).listen(Number(process.env.PORT), '127.0.0.1');

/** Microseconds that a read takes: the median of 101. */
function timeOf(read: () => unknown): number {
  const times = Array.from({ length: 101 }, () => {
    const began = performance.now();
    read();
    return performance.now() - began;
  });
  return (times.sort((one, other) => one - other)[50] ?? 0) * 1000;
}
