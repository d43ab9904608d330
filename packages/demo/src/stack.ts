import type { Socket } from 'node:net';
import { type Logs, readLogs } from './log-file.ts';
import type { Part } from './parts.ts';
import type { Exit } from './processes.ts';
import { type Supervised, supervise } from './supervised.ts';

/** Parts that are started in order and stopped in the opposite order. */
export interface Stack {
  /** Starts one after the other, each when the one before it is up. Rejects with a DemoError, or when `signal` aborts. */
  readonly bringUp: (signal: AbortSignal) => Promise<void>;
  /** Never resolves; rejects with a DemoError when a part that was started fails. */
  readonly failed: () => Promise<never>;
  /** Ends what was started, one at a time; `onEnded` is waited for in between. */
  readonly takeDown: (onEnded: (part: Part, exit: Exit | null) => Promise<void>) => Promise<void>;
  /** What was started, as it stands. */
  readonly started: () => readonly Supervised[];
}

/** What a stack works with. */
export interface StackOptions {
  readonly folder: string;
  readonly reaperPipe: Socket;
  /** Told what happens: to the part of this name, at this time (now, if none is given). */
  readonly say: (text: string, name: string, at?: Date) => void;
}

/** Makes a stack of these parts; nothing is started yet. */
export function createStack(parts: readonly Part[], options: StackOptions): Stack {
  const { folder, reaperPipe, say } = options;
  const started: Supervised[] = [];
  const logs: Logs = readLogs((line, name, at) => {
    const text = parts.find((part) => part.name === name)?.tell(line) ?? null;
    if (text !== null) say(text, name, at);
  });
  return {
    async bringUp(signal) {
      for (const part of parts) {
        signal.throwIfAborted();
        say('Starting.', part.name);
        const log = `${folder}/${part.name}.log`;
        const one = supervise(part, { log, reaperPipe, say });
        started.push(one);
        logs.add(log, part.name);
        await Promise.race([one.up, one.failed, aborted(signal)]);
        await logs.catchUp();
        say(`Up, at ${part.where}.`, part.name);
      }
    },
    failed: () => Promise.race(started.map((one) => one.failed)),
    async takeDown(onEnded) {
      for (const one of started.toReversed()) {
        const exit = await one.stop();
        await logs.catchUp();
        await onEnded(one.part, exit);
      }
      await logs.close();
    },
    started: () => started,
  };
}

/** Never resolves; rejects when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new DOMException('stopped', 'AbortError'));
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return promise;
}
