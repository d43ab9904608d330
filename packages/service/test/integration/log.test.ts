import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/processes.ts';

const CHATTER = new URL('../support/chatter.ts', import.meta.url).pathname;

interface Line {
  readonly event: string;
  readonly line?: number;
  readonly lines?: number;
  readonly message: string;
}

/** A program that logs `count` lines of a kilobyte into `stdout`, a file descriptor, and waits `flushMs` for them at its end. */
function chat(count: number, stdout: number, flushMs = 250) {
  const child = spawn(process.execPath, [CHATTER, String(count), String(flushMs)], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return {
    child,
    exited,
    said: (text: string) => until(`it says ${text}: ${said}`, () => said.includes(text)),
  };
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'botwarden-log-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A pipe that its writer finds open, and that nobody reads before `read` is called. */
function pipe() {
  const path = join(folder(), 'pipe');
  spawnSync('mkfifo', [path]);
  const fd = openSync(path, 'r+');
  let text = '';
  onTestFinished(() => closeSync(fd));
  return {
    fd,
    /** Everything that is in it now. */
    read(): string {
      const reader = openSync(path, 0o4000);
      const buffer = Buffer.alloc(1 << 20);
      try {
        for (;;) text += buffer.toString('utf8', 0, readSync(reader, buffer));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      } finally {
        closeSync(reader);
      }
      return text;
    },
  };
}

const parse = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe('a log that nobody reads', () => {
  it('holds nothing up: the program goes on, hears its signal, and ends with its code', async () => {
    const { fd } = pipe();
    const { child, exited, said } = chat(5_000, fd);
    await said('said all');
    child.kill('SIGTERM');
    expect(await exited).toBe(3);
  });

  it('keeps the newest lines, and says in place of the others how many they were', async () => {
    const { fd, read } = pipe();
    const { child, exited, said } = chat(5_000, fd, 20_000);
    await said('said all');
    child.kill('SIGTERM');
    await said('stopping');
    await until('all is read, and it ends', () => read() !== '' && child.exitCode !== null);
    expect(await exited).toBe(3);
    const lines = parse(read());
    const at = lines.findIndex(({ event }) => event === 'log.dropped');
    expect(at).toBeGreaterThan(0);
    const before = lines.slice(0, at).map(({ line }) => line);
    const after = lines.slice(at + 1).map(({ line }) => line);
    expect(before).toEqual(before.map((_, index) => index + 1));
    expect(after.slice(0, -1)).toEqual(after.slice(0, -1).map((_, index) => 5_002 - after.length + index));
    expect(lines.at(-1)?.event).toBe('last');
    // None is lost without being counted.
    expect(before.length + (lines[at]?.lines ?? 0) + after.length).toBe(5_001);
  });
});

it('a log whose reader has gone ends nothing', async () => {
  const child = spawn(process.execPath, [CHATTER, '10'], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until('it says all', () => said.includes('said all'));
  const exited = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGTERM');
  expect(await exited).toBe(3);
});

it('every line is in a file by the time the program has ended, and no secret is', async () => {
  const path = join(folder(), 'log');
  const fd = openSync(path, 'a');
  const { child, exited, said } = chat(1_000, fd);
  await said('said all');
  child.kill('SIGTERM');
  expect(await exited).toBe(3);
  closeSync(fd);
  const text = readFileSync(path, 'utf8');
  expect(parse(text).map(({ line }) => line)).toEqual(
    [...Array(1_000).keys()].map((n) => n + 1).concat(undefined as never),
  );
  expect(text).toContain('Line 1 with ***.');
  expect(text).not.toContain('s3cret-word');
});

it('a disk that is full ends nothing', async () => {
  const fd = openSync('/dev/full', 'w');
  onTestFinished(() => closeSync(fd));
  const { child, exited, said } = chat(5_000, fd);
  await said('said all');
  child.kill('SIGTERM');
  expect(await exited).toBe(3);
});

const mayMount = spawnSync('unshare', ['-rm', 'true']).status === 0;
it.skipIf(!mayMount)(
  'a disk that has room again gets whole lines again, and how many are missing',
  async () => {
    const path = folder();
    // A disk of 64 KiB, full after some 60 lines, and made larger when the program has said all of its 3,000.
    const script = `mount -t tmpfs -o size=64k none ${path} && exec 4>&1
      "${process.execPath}" "${CHATTER}" 3000 2000 > ${path}/log & child=$!
      until [ -e ${path}/go ] || read -r go; do sleep 0.1; done
      mount -o remount,size=8m ${path}; sleep 2.5; kill -TERM $child; wait $child; echo "code $?" >&4; cat ${path}/log >&4`;
    const shell = spawn('unshare', ['-rm', 'bash', '-c', script], { stdio: ['pipe', 'pipe', 'pipe'] });
    onTestFinished(() => void shell.kill('SIGKILL'));
    let out = '';
    let err = '';
    shell.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    shell.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    await until('it has said all', () => err.includes('said all'));
    const ended = new Promise((resolve) => shell.on('close', resolve));
    shell.stdin.end('go\n');
    await ended;
    const [code, ...rest] = out.split('\n');
    expect(code).toBe('code 3');
    const told = rest.filter((line) => line.includes('log.dropped'));
    expect(told).toHaveLength(1);
    const torn = rest.filter((line) => line !== '' && !line.endsWith('}'));
    expect(torn.length).toBeLessThanOrEqual(1);
    expect(rest.filter((line) => line !== '').at(-1)).toContain('"last"');
  },
);
