import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { assertProbeName, type Probe } from '../probe.ts';
import { type UtilizationLimits, utilizationJudge } from '../utilization.ts';

/** Options of {@link memoryProbe}. */
export interface MemoryProbeOptions extends UtilizationLimits {
  /** Unique within a monitor. */
  name: string;
  /** Where `/proc` and `/sys` are found. Default `/`. */
  root?: string;
}

/**
 * Asks how much of its memory a container uses, against the limit of its control group (version 1 or 2, the tightest
 * on the way up); where there is no limit, how much of the machine's is in use. File cache that the kernel would give
 * back does not count.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function memoryProbe(options: MemoryProbeOptions): Probe {
  assertProbeName(options.name);
  const { name, root = '/' } = options;
  const judge = utilizationJudge(options, 'MEMORY_EXHAUSTED');
  return {
    name,
    measurement: 'utilization',
    componentType: 'system',
    async run() {
      const limited = await controlGroupUsage(root);
      return limited === undefined
        ? judge('memory of the machine', totalmem() - freemem(), totalmem())
        : judge('memory of the control group', limited.used, limited.limit);
    },
  };
}

interface Usage {
  readonly used: number;
  readonly limit: number;
}

/** Names of the files in each version of control groups, and of the cache in `memory.stat` that can be given back. */
const VERSION_1 = {
  mount: 'sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
  cache: 'total_inactive_file',
};
const VERSION_2 = {
  mount: 'sys/fs/cgroup',
  limit: 'memory.max',
  used: 'memory.current',
  cache: 'inactive_file',
};

async function controlGroupUsage(root: string): Promise<Usage | undefined> {
  const membership = await read(join(root, 'proc/self/cgroup'));
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(membership ?? '')?.[1];
  const v2 = /^0::(.*)$/m.exec(membership ?? '')?.[1];
  const version = v1 === undefined ? VERSION_2 : VERSION_1;
  let tightest: Usage | undefined;
  for (let group = v1 ?? v2 ?? '/'; ; group = dirname(group)) {
    const usage = await groupUsage(join(root, version.mount, group), version);
    if (
      usage !== undefined &&
      (tightest === undefined || usage.used / usage.limit > tightest.used / tightest.limit)
    ) {
      tightest = usage;
    }
    if (group === '/' || group === '.') return tightest;
  }
}

async function groupUsage(folder: string, files: typeof VERSION_1): Promise<Usage | undefined> {
  const limit = Number(await read(join(folder, files.limit)));
  const current = Number(await read(join(folder, files.used)));
  // No limit reads `max` in version 2, and in version 1 a number far above what any machine has.
  if (!(limit > 0 && limit < totalmem()) || Number.isNaN(current)) return undefined;
  const stat = (await read(join(folder, 'memory.stat'))) ?? '';
  const cache = Number(new RegExp(`^${files.cache} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  return { used: Math.max(0, current - cache), limit };
}

async function read(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    // Not this version of control groups, or none at all.
    return undefined;
  }
}
