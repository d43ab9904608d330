// An API on Express 5 that is ready while its database and the exchange answer.
import { createMonitor, httpProbe } from '@botwarden/probes';
import { healthRouter } from '@botwarden/probes/express';
import { postgresProbe } from '@botwarden/probes/postgres';
import express from 'express';

const {
  DATABASE_URL = 'postgres://bot:secret@localhost:5432/bot',
  EXCHANGE_URL = 'https://api.example.com/ping',
} = process.env;

const monitor = createMonitor({
  probes: [
    postgresProbe({ name: 'database', connectionString: DATABASE_URL }),
    // The API works without it, if less well: it makes the whole warn, never fail.
    { probe: httpProbe({ name: 'exchange', url: EXCHANGE_URL }), critical: false, interval: '10s' },
  ],
});
monitor.start();

const app = express();
app.use(healthRouter(monitor, { details: 'always' }));
app.get('/', (_request, response) => {
  response.send('hello');
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`listening on ${JSON.stringify(server.address())}\n`);
});
process.once('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await monitor.close();
});
