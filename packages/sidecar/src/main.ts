#!/usr/bin/env node
import type { EarlySignal, Host } from './host.ts';

// Signals are taken before anything else is loaded: one that comes while the program starts must drain too.
const early: EarlySignal[] = [];
const record = (signal: NodeJS.Signals): void => {
  early.push({ signal: signal as EarlySignal['signal'], at: performance.now() });
};
const RECORDED = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
for (const signal of RECORDED) process.on(signal, record);

const { endProcess } = await import('@botwarden/service/ending');
const host: Host = {
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  // Made when somebody writes to it: a sidecar that runs has nothing but the log on standard output.
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  takeSignals() {
    for (const signal of RECORDED) process.off(signal, record);
    return early;
  },
  onSignal: (signal, listener) => void process.on(signal, listener),
  raise: (signal) => void process.emit(signal, signal),
  onUncaught: (listener) => {
    process.on('uncaughtException', listener);
    process.on('unhandledRejection', listener);
  },
  exit: (code) => endProcess(process, code),
};

const { run } = await import('./cli.ts');
process.exitCode = await run(host);
