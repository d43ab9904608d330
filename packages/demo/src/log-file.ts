import { type FileHandle, open, readFile } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

/** A line of a JSON log. */
export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly message: string;
  readonly reason?: unknown;
}

/** Reads a line of a JSON log; undefined when it is none. */
export function parse(line: string): LogLine | undefined {
  try {
    const fields = JSON.parse(line);
    return typeof fields?.message === 'string' && typeof fields.time === 'string' ? fields : undefined;
  } catch {
    return undefined;
  }
}

/** The last thing that a log says, as a person would read it; undefined when it says nothing. */
export async function lastWords(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const line = text.trim().split('\n').at(-1)?.trim();
  return line === undefined || line === '' ? undefined : (parse(line)?.message ?? line);
}

/** Logs of several processes, read while they are written and told in the order in which things happened. */
export interface Logs {
  /** Adds a log; the file exists. */
  readonly add: (path: string, name: string) => void;
  /** Resolves when everything that is in the files now was told. */
  readonly catchUp: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const LOOK_EVERY_MS = 100;

/** Reads logs, and hands each line to `tell`, with the name of its log and the time at which it was written. */
export function readLogs(tell: (line: string, name: string, at: Date) => void): Logs {
  const files: LogFile[] = [];
  let looking = Promise.resolve();

  async function look(): Promise<void> {
    const now = Date.now();
    const lines = await Promise.all(files.map((file) => file.newLines()));
    const inOrder = lines
      .flat()
      .map(({ line, name }) => ({ line, name, at: Date.parse(parse(line)?.time ?? '') || now }))
      .sort((one, other) => one.at - other.at);
    for (const { line, name, at } of inOrder) tell(line, name, new Date(at));
  }
  // One look after the other, or lines would be told twice.
  const catchUp = (): Promise<void> => {
    looking = looking.then(look);
    return looking;
  };

  const timer = setInterval(catchUp, LOOK_EVERY_MS);
  return {
    add: (path, name) => void files.push(new LogFile(path, name)),
    catchUp,
    async close() {
      clearInterval(timer);
      await catchUp();
      await Promise.all(files.map((file) => file.close()));
    },
  };
}

class LogFile {
  readonly #path: string;
  readonly #name: string;
  readonly #decoder = new StringDecoder('utf8');
  readonly #buffer = Buffer.alloc(64 * 1024);
  #file: FileHandle | undefined;
  #begun = '';

  constructor(path: string, name: string) {
    this.#path = path;
    this.#name = name;
  }

  /** The whole lines that were added since the last call. */
  async newLines(): Promise<{ line: string; name: string }[]> {
    this.#file ??= await open(this.#path, 'r');
    for (;;) {
      const { bytesRead } = await this.#file.read(this.#buffer, 0, this.#buffer.length, null);
      if (bytesRead === 0) break;
      this.#begun += this.#decoder.write(this.#buffer.subarray(0, bytesRead));
    }
    const lines = this.#begun.split('\n');
    this.#begun = lines.pop() ?? '';
    return lines.map((line) => ({ line, name: this.#name }));
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}
