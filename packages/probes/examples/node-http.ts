// A server on node:http. Whoever brings the token sees why it is ill; everyone else, whether it is.
import { createServer } from 'node:http';
import { bearerToken, createMonitor, diskProbe, healthHandler, memoryProbe, probe } from '@botwarden/probes';

const orders = { waiting: 0 };
const monitor = createMonitor({
  probes: [
    diskProbe({ name: 'disk', path: '/' }),
    memoryProbe({ name: 'memory' }),
    probe('queue', () => {
      if (orders.waiting > 1000)
        throw new Error(`expected at most 1000 waiting orders, there are ${orders.waiting}`);
      return { value: orders.waiting, unit: 'count' };
    }),
  ],
  spread: 0,
});
monitor.start();

const health = healthHandler(monitor, {
  details: 'when-authorized',
  authorize: bearerToken(process.env.HEALTH_TOKEN ?? 'change-me'),
});
const server = createServer((request, response) => {
  health(request, response, () => response.end('hello'));
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`listening on ${JSON.stringify(server.address())}\n`);
});
process.once('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await monitor.close();
});
