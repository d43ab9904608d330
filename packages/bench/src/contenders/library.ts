// node library.ts [express]: the library alone, with the three probes, on node:http or as an Express router.
import { createServer } from 'node:http';
import { createMonitor, healthHandler, httpProbe, modelProbe } from '@botwarden/probes';
import { postgresProbe } from '@botwarden/probes/postgres';

const { BOT_URL = '', DATABASE_URL = '', PORT } = process.env;
const monitor = createMonitor({
  probes: [
    httpProbe({
      name: 'api',
      url: `${BOT_URL}/health`,
      json: (body) => (body as { status?: string }).status === 'ok',
    }),
    postgresProbe({ name: 'database', connectionString: DATABASE_URL }),
    modelProbe({ name: 'models', url: `${BOT_URL}/models` }),
  ],
  spread: 0,
});
monitor.start();
const listener =
  process.argv[2] === 'express'
    ? (await import('express'))
        .default()
        .use((await import('@botwarden/probes/express')).healthRouter(monitor, { details: 'always' }))
    : healthHandler(monitor, { details: 'always' });
createServer(listener).listen(Number(PORT), '127.0.0.1');
