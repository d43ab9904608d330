import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { freePort } from '@botwarden/local-postgres';

/** A program that the bench started. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** From its start to the first answer 200, in milliseconds. */
  readonly firstAnswerMs: number;
  readonly child: ChildProcess;
  /** Everything that it wrote to standard output. */
  readonly output: () => string;
  /** Ends it by force. */
  readonly end: () => Promise<void>;
}

/** How a program is started. */
export interface ProgramOptions {
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** The path that it answers with 200 once it runs. */
  readonly path: string;
}

const LONGEST_START_MS = 30_000;

/** Starts a program with a free port in PORT, and waits for its first 200. */
export async function startProgram({ name, command, env = {}, path }: ProgramOptions): Promise<Program> {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(command[0], command.slice(1), {
    env: { PATH: process.env.PATH ?? '', HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  while (!(await answers200(port, path))) {
    if (
      child.exitCode !== null ||
      child.signalCode !== null ||
      performance.now() - began > LONGEST_START_MS
    ) {
      await end();
      throw new Error(`expected ${name} to answer ${path} with 200; it said ${text}${errors}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return {
    name,
    pid: child.pid ?? 0,
    port,
    firstAnswerMs: performance.now() - began,
    child,
    output: () => text,
    end,
  };
}

/** One GET on a connection of its own, as cheap as can be: it must not take the core from who starts. */
function answers200(port: number, path: string): Promise<boolean> {
  return answerOf(port, path).then(
    (text) => text.startsWith('HTTP/1.1 200'),
    () => false,
  );
}

/** The answer to a GET, byte by byte as latin1, head and body. */
export function answerOf(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}
