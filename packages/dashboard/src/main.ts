#!/usr/bin/env node
import { endProcess } from '@botwarden/service/ending';
import { run } from './cli.ts';

process.exitCode = await run({
  argv: process.argv.slice(2),
  env: process.env,
  // Made when somebody writes to it: a dashboard that runs has nothing but the log on standard output.
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  client: new URL('../client/', import.meta.url),
  exit: (code) => endProcess(process, code),
});
