#!/usr/bin/env node
import { run } from './cli.ts';

process.exitCode = await run({
  argv: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  onStop: (listener) => {
    process.on('SIGTERM', listener);
    process.on('SIGINT', listener);
  },
  exit: (code) => process.exit(code),
});
