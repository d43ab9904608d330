// A worker without HTTP: it stops taking work while something it needs is down, and says so when that changes.
import { createMonitor, tcpProbe } from '@botwarden/probes';

const { BROKER_HOST = 'localhost', BROKER_PORT = '5672' } = process.env;

const monitor = createMonitor({
  probes: [tcpProbe({ name: 'broker', host: BROKER_HOST, port: Number(BROKER_PORT) })],
  interval: '250ms',
  timeout: '200ms',
  failureThreshold: 2,
});
monitor.on('change', (change) => {
  if (change.kind === 'probe') {
    process.stdout.write(`${change.name}: ${change.from} -> ${change.to} ${change.probe.output ?? ''}\n`);
  }
});
monitor.start();

// The timers of a monitor keep no process alive; its work does.
const work = setInterval(() => {
  if (!monitor.group('readiness').healthy) return;
  process.stdout.write('worked\n');
}, 100);

process.once('SIGTERM', async () => {
  clearInterval(work);
  await monitor.close();
});
