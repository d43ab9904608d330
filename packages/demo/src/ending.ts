import { setTimeout as delay } from 'node:timers/promises';
import { groupRuns, lookUp, stillRuns } from './process-table.ts';

/** A process that was started as the leader of a group of its own, and how long it may take to end. */
export interface Recorded {
  readonly name: string;
  /** Also the number of its process group. */
  readonly pid: number;
  /** As in the process table; undefined when it had ended before anyone looked. */
  readonly started: string | undefined;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly graceMs: number;
}

const LOOK_EVERY_MS = 25;
/** What a process left behind in its group gets this long after SIGTERM, in milliseconds. */
const LEFTOVER_GRACE_MS = 3_000;
/** After SIGKILL a process is gone as soon as the system gets to it. */
const KILLED_MS = 5_000;

/** Ends a process, and whatever is left in its group. Resolves with whether nothing of it runs any more. */
export async function end({ pid, started, graceMs }: Recorded): Promise<boolean> {
  const runs = (): boolean => started !== undefined && stillRuns({ pid, started });
  if (runs()) {
    signal(pid, 'SIGTERM');
    await waitFor(() => !runs(), graceMs);
  }
  const now = lookUp(pid);
  // The pid belongs to someone else by now, and so does the group of that number.
  if (now !== undefined && now.started !== started) return true;
  const gone = (): boolean => !groupRuns(pid);
  if (gone()) return true;
  // Gently first: a database that is killed leaves its shared memory behind.
  signal(-pid, 'SIGTERM');
  if (await waitFor(gone, LEFTOVER_GRACE_MS)) return true;
  signal(-pid, 'SIGKILL');
  return waitFor(gone, KILLED_MS);
}

/** Ends them one after the other, the one that was started last first. Resolves with the names of those that stay. */
export async function endAll(processes: readonly Recorded[]): Promise<string[]> {
  const left: string[] = [];
  for (const one of processes.toReversed()) if (!(await end(one))) left.push(one.name);
  return left;
}

async function waitFor(condition: () => boolean, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (!condition()) {
    if (performance.now() >= until) return false;
    await delay(LOOK_EVERY_MS);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself meanwhile.
  }
}
