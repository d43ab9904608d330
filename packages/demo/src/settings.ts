import { DemoError } from './failure.ts';

/** Reads DEMO_PORT: the port of the sidecar, 9400 by default. */
export function readPort(text: string | undefined): number {
  if (text === undefined || text === '') return 9400;
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new DemoError(
    'SETTING_INVALID',
    `DEMO_PORT must be a port from 1 to 65535, got ${JSON.stringify(text)}.`,
  );
}
