// terminus ends the server; health is answered from memory, and /readyz is 503 from the signal on.
import { createServer } from 'node:http';
import { createMonitor, eventLoopProbe, probe } from '@botwarden/probes';
import { terminusWithHealth } from '@botwarden/probes/terminus';

const monitor = createMonitor({
  probes: [eventLoopProbe({ name: 'event-loop' }), probe('warm', () => undefined)],
  groups: { liveness: ['event-loop'], readiness: ['warm'] },
  spread: 0,
});
monitor.start();

const server = createServer((_request, response) => response.end('hello'));
terminusWithHealth(server, monitor, {
  details: 'always',
  hookTimeout: '2s',
  // Let the load balancer see the 503 before connections are refused.
  beforeShutdown: () => new Promise((resolve) => setTimeout(resolve, 1000)),
  onShutdown: async () => {
    process.stdout.write('bye\n');
  },
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`listening on ${JSON.stringify(server.address())}\n`);
});
