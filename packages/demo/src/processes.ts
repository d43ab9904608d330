import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { end, type Recorded } from './ending.ts';
import { lookUp } from './process-table.ts';

/** What to start, and how long it may take to end. */
export interface Command {
  /** One word. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly graceMs: number;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that was started. */
export interface Running {
  readonly exit: Promise<Exit>;
  /** Ends it and what is left in its group; resolves with how it ended, or null when it cannot be ended. */
  readonly stop: () => Promise<Exit | null>;
}

// The process writes itself down before it becomes what it is to be. So whoever kills the demo in the very instant of
// the start leaves either no process, or one that the reaper knows.
const RECORD_AND_RUN = 'printf "%s %s %s\\n" "$1" "$$" "$2" >&3 || exit 1; shift 2; exec "$@" 3>&-';

/**
 * Starts a process in a session of its own, so that Ctrl-C does not reach it. Its output goes to `output`, a file:
 * unlike a pipe to the demo it is still there when the demo was killed and the process has a drain to finish.
 */
export function start(command: Command, reaperPipe: Socket, output: number): Running {
  const { name, graceMs, env, cwd } = command;
  const child = spawn(
    '/bin/sh',
    ['-c', RECORD_AND_RUN, 'sh', name, String(graceMs), command.command, ...command.args],
    { env, cwd, detached: true, stdio: ['ignore', output, output, reaperPipe] },
  );
  const exit = (once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>).then(
    ([code, signal]) => ({ code, signal }),
    (): Exit => ({ code: 127, signal: null }),
  );
  const pid = child.pid;
  const recorded: Recorded | undefined =
    pid === undefined ? undefined : { name, pid, started: lookUp(pid)?.started, graceMs };
  return {
    exit,
    stop: async () => (recorded === undefined || (await end(recorded)) ? exit : null),
  };
}

/** `code 0` or `signal SIGKILL`. */
export const inWords = ({ code, signal }: Exit): string =>
  signal === null ? `code ${code}` : `signal ${signal}`;
