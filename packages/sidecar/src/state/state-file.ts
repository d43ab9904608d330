import { constants } from 'node:fs';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';

/** Longest wait for what an earlier process kept, in milliseconds. */
export const LOAD_MS = 2_000;

/** A write that failed is tried again after so many milliseconds. */
const RETRY_MS = 5_000;

/** A larger file is none of ours, in bytes. */
const SIZE_MAX = 4 * 1024 * 1024;

/** What was found in a state file. Both are null where there is no file: a first start. */
export interface Loaded<T> {
  /** What was kept; null where nothing was, or nothing that can be used. */
  readonly value: T | null;
  /** Why the file cannot be used, as a sentence; null where it can, or where there is none. */
  readonly problem: string | null;
}

/** One small JSON file that outlives the process. */
export interface StateFile<T> {
  /**
   * Reads what an earlier process kept. Resolves within {@link LOAD_MS} and never rejects. A file that cannot be
   * understood is set aside, under its name with `.broken` after it, and is a problem: what stood in it is unknown.
   */
  readonly load: () => Promise<Loaded<T>>;
  /**
   * Keeps `value` in place of what was kept. Returns at once. The file holds the old value or the new one, never half of
   * one. Of several values that come while the disk is at work the last one counts. A write that fails is tried again.
   * The value must not change afterwards.
   */
  readonly save: (value: T) => void;
  /** Waits until what was saved is on disk, but at most so many milliseconds. True when it is. */
  readonly settled: (ms: number) => Promise<boolean>;
  /** Why what was saved is not on disk, or what was kept could not be read, as a sentence; null while all is well. */
  readonly problem: () => string | null;
}

/** What a state file needs to know. */
export interface StateFileOptions<T> {
  /** Where it is. Its directory is made where it is missing, if that one's parent exists. */
  readonly path: string;
  /** What it holds. */
  readonly schema: z.ZodType<T>;
  /**
   * Runs one piece of work on the disk after the other. Files on one disk share one: a disk that hangs then holds up
   * one thread of the process, and not all of them.
   */
  readonly inTurn: InTurn;
}

/** Runs `work` when all that was given before has ended. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Makes a turn, for the state files of one disk to share. */
export function createTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}

/** Opens nothing yet: the disk is first asked by `load` or `save`. */
export function createStateFile<T>({ path, schema, inTurn }: StateFileOptions<T>): StateFile<T> {
  let problem: string | null = null;
  let waiting: { readonly value: T } | undefined;
  let writing: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    for (let next = waiting; next !== undefined; next = waiting) {
      const { value } = next;
      try {
        await inTurn(() => replace(path, JSON.stringify(value)));
        problem = null;
        // Another may have come meanwhile; it is the next one then.
        if (waiting === next) waiting = undefined;
      } catch (error) {
        problem = `what Botwarden must remember cannot be written to ${path} (${codeOf(error)}): mount a writable volume there, or set DRAIN_LOG to a file on one`;
        retry = setTimeout(begin, RETRY_MS);
        retry.unref();
        break;
      }
    }
    writing = undefined;
  }

  function begin(): void {
    clearTimeout(retry);
    writing ??= write();
  }

  return {
    async load() {
      const late = Promise.withResolvers<Loaded<T>>();
      const timer = setTimeout(
        () => late.resolve({ value: null, problem: `${path} could not be read within ${LOAD_MS / 1000} s` }),
        LOAD_MS,
      );
      const loaded = await Promise.race([inTurn(() => read(path, schema)), late.promise]);
      clearTimeout(timer);
      problem ??= loaded.problem;
      return loaded;
    },
    save(value) {
      waiting = { value };
      begin();
    },
    async settled(ms) {
      if (waiting === undefined) return true;
      begin();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      });
      await Promise.race([writing, late]);
      clearTimeout(timer);
      return waiting === undefined;
    },
    problem: () => problem,
  };
}

/** Never rejects. */
async function read<T>(path: string, schema: z.ZodType<T>): Promise<Loaded<T>> {
  try {
    const text = await readRegularFile(path);
    if (text === null) return { value: null, problem: null };
    const result = schema.safeParse(parse(text));
    if (result.success) return { value: result.data, problem: null };
    await rename(path, `${path}.broken`).catch(() => undefined);
    return {
      value: null,
      problem: `${path} could not be understood: what stood in it is unknown; it is kept as ${path}.broken`,
    };
  } catch (error) {
    return { value: null, problem: `${path} cannot be read (${codeOf(error)})` };
  }
}

/** The text of a file; null where there is none. Never waits for a pipe or a device. */
async function readRegularFile(path: string): Promise<string | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const found = await file.stat();
    if (!found.isFile()) throw coded('it is not a regular file');
    if (found.size > SIZE_MAX) throw coded(`it is larger than ${SIZE_MAX} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Puts `text` in place of the file: whoever reads sees the old one or the new one, also after a power cut. */
async function replace(path: string, text: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined && !there.isFile()) throw coded('it is not a regular file');
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK, O_NOFOLLOW } = constants;
  const next = `${path}.next`;
  const create = () => open(next, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOFOLLOW, 0o600);
  const file = await create().catch(async (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    // Not recursive: below /proc that would never end.
    await mkdir(dirname(path));
    return create();
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  const directory = await open(dirname(path), constants.O_RDONLY);
  try {
    await directory.sync();
  } catch {
    // Some file systems cannot sync a directory.
  } finally {
    await directory.close();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
