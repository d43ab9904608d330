import { statfs } from 'node:fs/promises';
import { ProbeOptionError } from '../errors.ts';
import { assertProbeName, type Probe } from '../probe.ts';
import { type UtilizationLimits, utilizationJudge } from '../utilization.ts';

/** Options of {@link diskProbe}. */
export interface DiskProbeOptions extends UtilizationLimits {
  /** Unique within a monitor. */
  name: string;
  /** Any path on the file system. */
  path: string;
}

/**
 * Asks how full a file system is, as `df` shows it: what only root may use counts as used.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function diskProbe(options: DiskProbeOptions): Probe {
  assertProbeName(options.name);
  const { name, path } = options;
  if (typeof path !== 'string' || path === '') throw new ProbeOptionError('path', 'a path', path);
  const judge = utilizationJudge(options, 'DISK_FULL');
  return {
    name,
    measurement: 'utilization',
    componentType: 'system',
    async run() {
      const { blocks, bfree, bavail, bsize } = await statfs(path);
      const used = (blocks - bfree) * bsize;
      return judge(path, used, used + bavail * bsize);
    },
  };
}
