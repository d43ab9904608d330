// One page that watches several targets, declared in a file, with their history and their metrics.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createMonitor, healthHandler } from '@botwarden/probes';
import { loadProbes } from '@botwarden/probes/declared';
import { collectProbeMetrics } from '@botwarden/probes/prometheus';
import { Registry } from 'prom-client';

const file = process.env.PROBES_FILE ?? new URL('probes.yaml', import.meta.url);
const declared = await loadProbes(await readFile(file, 'utf8'), { variables: process.env });
const monitor = createMonitor({ ...declared, spread: 0 });
const registry = new Registry();
collectProbeMetrics(monitor, registry);
monitor.start();

const health = healthHandler(monitor, { details: 'always' });
const server = createServer((request, response) => {
  health(request, response, async () => {
    if (request.url === '/metrics') {
      response.setHeader('content-type', registry.contentType).end(await registry.metrics());
      return;
    }
    const lines = monitor.snapshot().probes.map(({ name, status, output }) => {
      const past = monitor.history(name).map(({ outcome }) => (outcome === 'fail' ? 'x' : '.'));
      return `${name.padEnd(20)} ${status.padEnd(8)} ${past.join('')} ${output ?? ''}`;
    });
    response.end(`${lines.join('\n')}\n`);
  });
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`listening on ${JSON.stringify(server.address())}\n`);
});
process.once('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await monitor.close();
});
