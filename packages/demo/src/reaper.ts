import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DemoError } from './failure.ts';

/** The process that tidies up after the demo, also after one that was killed. */
export interface Reaper {
  /** The temporary folder, which goes when the reaper goes. */
  readonly folder: string;
  /** Where processes record themselves. It must be the only thing that keeps the reaper waiting. */
  readonly pipe: Socket;
  /**
   * Lets it finish: it ends what still runs and removes the folder.
   *
   * @throws {DemoError} when something is left all the same.
   */
  readonly finish: () => Promise<void>;
}

/** Starts the reaper. From here on there is a temporary folder, and from here on someone will remove it. */
export async function startReaper(): Promise<Reaper> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./programs/reaper.ts', import.meta.url))], {
    // Out of reach of the terminal's signals, and of whoever kills the demo's process group.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  child.stdin.on('error', () => undefined);
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const folder: string | undefined = (await said.next()).value;
  if (folder === undefined) {
    throw new DemoError('REAPER_FAILED', 'The process that tidies up after the demo could not be started.');
  }
  return {
    folder,
    pipe: child.stdin as Socket,
    async finish() {
      child.stdin.end();
      const left: string[] = [];
      for (let next = await said.next(); !next.done; next = await said.next()) left.push(next.value);
      const [code] = await ended;
      if (code === 0) return;
      throw new DemoError(
        'LEFT_BEHIND',
        `Something is left behind in ${folder} or still runs: ${left.join(', ') || 'the process that tidies up failed'}.`,
      );
    },
  };
}
