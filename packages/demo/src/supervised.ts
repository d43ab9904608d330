import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { DemoError } from './failure.ts';
import { lastWords } from './log-file.ts';
import type { Part } from './parts.ts';
import { type Exit, inWords, type Running, start } from './processes.ts';

/** A part that runs, or is on its way. */
export interface Supervised {
  readonly part: Part;
  readonly state: () => 'starting' | 'running' | 'restarting' | 'stopping' | 'ended';
  /** Resolves when the part is up. */
  readonly up: Promise<void>;
  /** Rejects with a {@link DemoError} when the part is not up in time, or ends and is not to be started again. */
  readonly failed: Promise<never>;
  /** Ends it; resolves with how it ended, or null when it cannot be ended. */
  readonly stop: () => Promise<Exit | null>;
}

/** A part that takes longer to come up has failed. */
const UP_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;
const RESTART_AFTER_MS = 1_000;

/** What a part is started with. */
export interface SuperviseOptions {
  /** The file for what the part says; made when absent. */
  readonly log: string;
  readonly reaperPipe: Socket;
  readonly say: (text: string, name: string) => void;
}

/** Starts a part, and starts it again where that is wanted. */
export function supervise(part: Part, { log, reaperPipe, say }: SuperviseOptions): Supervised {
  const output = openSync(log, 'a');
  const failure = Promise.withResolvers<never>();
  // It may fail while nobody looks; whoever looks later still learns of it.
  failure.promise.catch(() => undefined);
  const stopping = new AbortController();
  let state: ReturnType<Supervised['state']> = 'starting';
  let running = launch();

  function launch(): Running {
    const launched = start(part, reaperPipe, output);
    void launched.exit.then((exit) => onExit(exit));
    return launched;
  }

  async function onExit(exit: Exit): Promise<void> {
    if (stopping.signal.aborted) return;
    if (!part.restarts || state === 'starting') {
      state = 'ended';
      const said = await lastWords(log);
      failure.reject(
        new DemoError(
          'PART_FAILED',
          `The ${part.name} ended by itself with ${inWords(exit)}${said === undefined ? '' : `; its last words: ${said}`}`,
        ),
      );
      return;
    }
    state = 'restarting';
    say(`Ended with ${inWords(exit)}; it is started again.`, part.name);
    await delay(RESTART_AFTER_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    if (!stopping.signal.aborted) running = launch();
    await waitUntilUp();
  }

  async function waitUntilUp(): Promise<void> {
    const until = performance.now() + UP_WITHIN_MS;
    while (!stopping.signal.aborted && state !== 'ended' && performance.now() < until) {
      if (await part.ready().catch(() => false)) {
        if (!stopping.signal.aborted) state = 'running';
        return;
      }
      await delay(LOOK_EVERY_MS);
    }
    if (stopping.signal.aborted || state === 'ended') return;
    const said = await lastWords(log);
    failure.reject(
      new DemoError(
        'NOT_READY',
        `The ${part.name} was not up after ${UP_WITHIN_MS / 1_000} s${said === undefined ? '' : `; its last words: ${said}`}`,
      ),
    );
  }

  return {
    part,
    state: () => state,
    up: waitUntilUp(),
    failed: failure.promise,
    async stop() {
      stopping.abort();
      const ended = state === 'ended';
      state = 'stopping';
      const exit = await running.stop();
      closeSync(output);
      if (exit !== null || ended) state = 'ended';
      return exit;
    },
  };
}
