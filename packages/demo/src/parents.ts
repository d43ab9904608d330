import { basename } from 'node:path';
import { lookUp, type ProcessEntry, stillRuns } from './process-table.ts';

const LOOK_EVERY_MS = 500;
const RUNNERS = ['npm', 'npx', 'pnpm', 'pnpx', 'yarn', 'corepack'];
const SHELLS = ['sh', 'dash', 'bash', 'zsh', 'busybox', 'ash'];

/**
 * Calls `onGone` once, when a process that the demo was started through is gone: pnpm, the npx above it, and the
 * shells between them. Such a one may be ended without a word to the demo, which would then run on unseen. What is
 * above them (a terminal, a script that ended after it began the demo with `&`) is none of the demo's business.
 */
export function watchParents(pid: number, onGone: (name: string) => void): () => void {
  const chain = launchers(pid);
  const timer = setInterval(() => {
    const gone = chain.find((entry) => !stillRuns(entry));
    if (gone === undefined) return;
    clearInterval(timer);
    onGone(nameOf(gone));
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The processes above this one, up to the topmost package runner; empty where there is no runner. */
function launchers(pid: number): ProcessEntry[] {
  const chain: ProcessEntry[] = [];
  for (let entry = above(pid); entry !== undefined && isLauncher(entry); entry = above(entry.pid)) {
    chain.push(entry);
  }
  while (chain.length > 0 && !isRunner(chain.at(-1))) chain.pop();
  return chain;
}

function above(pid: number): ProcessEntry | undefined {
  const entry = lookUp(pid);
  return entry === undefined ? undefined : lookUp(entry.parent);
}

// A runner is a program of its own ("pnpm demo"), a script that Node runs ("node /usr/bin/npx demo"), or calls itself
// by a title ("npm exec pnpm@12 demo").
function nameOf(entry: ProcessEntry): string {
  const [program = '', script = ''] = entry.command.split(' ').map((word) => basename(word));
  return (program === 'node' ? script : program).replace(/(-cli)?(\.[cm]?js)?$/, '');
}

const isRunner = (entry: ProcessEntry | undefined): boolean =>
  entry !== undefined && RUNNERS.includes(nameOf(entry));
const isLauncher = (entry: ProcessEntry): boolean => isRunner(entry) || SHELLS.includes(nameOf(entry));
