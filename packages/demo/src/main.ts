#!/usr/bin/env node
import { createStopRequest } from './stop-request.ts';

// Signals are taken before anything else is loaded: one that comes early is not lost.
const stop = createStopRequest();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.ask(name));

const { watchParents } = await import('./parents.ts');
const { DemoError } = await import('./failure.ts');
const { createScreen } = await import('./screen.ts');
const { runDemo } = await import('./demo.ts');
const { readPort } = await import('./settings.ts');

watchParents(process.pid, (name) => stop.ask(`${name} is gone`));
const screen = createScreen(process.stdout);
try {
  process.exitCode = await runDemo({
    port: readPort(process.env.DEMO_PORT),
    env: process.env,
    screen,
    stop,
    pid: process.pid,
  });
} catch (error) {
  screen.clear();
  if (!(error instanceof DemoError)) throw error;
  process.stderr.write(`demo: ${error.message}\n`);
  process.exitCode = 1;
}
