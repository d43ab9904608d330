import { join } from 'node:path';
import type { z } from 'zod';
import { createStateFile, createTurn, type StateFile } from './state-file.ts';

/** The state files of one folder; see {@link StateFile}. */
export interface StateFolder {
  /** The file of one noun, such as `heal.json`. Ask once for each name. */
  readonly file: <T>(name: string, schema: z.ZodType<T>) => StateFile<T>;
  /** Waits until everything that was saved is on disk, but at most so many milliseconds. True when it is. */
  readonly settled: (ms: number) => Promise<boolean>;
  /** Why state cannot be kept or was lost, one sentence for each file; empty while all is well. */
  readonly problems: () => readonly string[];
}

const NONE: readonly string[] = [];

/** Its files take turns: a disk that hangs holds up one thread of the process, however many files it has. */
export function openStateFolder(directory: string): StateFolder {
  const inTurn = createTurn();
  const files: Array<Pick<StateFile<unknown>, 'settled' | 'problem'>> = [];
  return {
    file<T>(name: string, schema: z.ZodType<T>): StateFile<T> {
      const file = createStateFile({ path: join(directory, name), schema, inTurn });
      files.push(file);
      return file;
    },
    async settled(ms) {
      const all = await Promise.all(files.map((file) => file.settled(ms)));
      return all.every(Boolean);
    },
    problems: () =>
      files.every((file) => file.problem() === null) ? NONE : files.flatMap((file) => file.problem() ?? []),
  };
}
