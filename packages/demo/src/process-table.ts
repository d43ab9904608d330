import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';

/** A process as the operating system knows it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** Its process group. */
  readonly group: number;
  /** When it started, in the system's own words: together with the pid it names one process for good. */
  readonly started: string;
  /** The command line. */
  readonly command: string;
}

// /proc and not ps where there is one: a slim image has no ps.
const onLinux = platform() === 'linux';

/** What runs under this pid; undefined when nothing does, or only what waits to be reaped. */
export function lookUp(pid: number): ProcessEntry | undefined {
  return onLinux ? fromProc(pid) : fromPs('-p', String(pid))[0];
}

/** Whether this very process still runs, and not another one that was given its pid since. */
export function stillRuns({ pid, started }: Pick<ProcessEntry, 'pid' | 'started'>): boolean {
  return lookUp(pid)?.started === started;
}

/** Whether anything runs in this process group. */
export function groupRuns(group: number): boolean {
  const all = onLinux ? readdirSync('/proc').map((name) => fromProc(Number(name))) : fromPs('-ax');
  return all.some((entry) => entry?.group === group);
}

function fromProc(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name stands in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state = 'X', parent, group] = fields;
    const started = fields[19];
    if ('ZX'.includes(state) || started === undefined) return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, parent: Number(parent), group: Number(group), started, command };
  } catch {
    return undefined;
  }
}

const PS_LINE = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+\S+\s+\d+)\s+(.*)$/;

function fromPs(...which: string[]): ProcessEntry[] {
  const columns = ['pid=', 'ppid=', 'pgid=', 'stat=', 'lstart=', 'args='].flatMap((column) => ['-o', column]);
  let table: string;
  try {
    table = execFileSync('ps', ['-ww', ...which, ...columns], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return [];
  }
  return table.split('\n').flatMap((line) => {
    const [, pid, parent, group, state, started = '', command = ''] = PS_LINE.exec(line) ?? [];
    if (state === undefined || state.startsWith('Z')) return [];
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), started, command }];
  });
}
