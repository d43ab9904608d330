import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { createStateFile, createTurn, LOAD_MS } from '../../src/state/state-file.ts';
import { openStateFolder } from '../../src/state/state-folder.ts';
import { until } from '../support/processes.ts';

const schema = z.object({ count: z.number() });
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'botwarden-state-'));
  path = join(folder, 'heal.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fileAt = (where = path) => createStateFile({ path: where, schema, inTurn: createTurn() });

it('gives to the next process what the last one saved', async () => {
  const file = fileAt();
  file.save({ count: 1 });
  expect(await file.settled(5_000)).toBe(true);
  expect(await fileAt().load()).toEqual({ value: { count: 1 }, problem: null });
  expect(readdirSync(folder)).toEqual(['heal.json']);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('takes a file that is not there for a first start', async () => {
  const file = fileAt();
  expect(await file.load()).toEqual({ value: null, problem: null });
  expect(file.problem()).toBeNull();
});

it('makes its folder', async () => {
  const file = fileAt(join(folder, 'state', 'heal.json'));
  file.save({ count: 2 });
  expect(await file.settled(5_000)).toBe(true);
});

it('keeps the last of many values, and does not write each of them', async () => {
  const file = fileAt();
  let serialised = 0;
  for (let count = 1; count <= 1_000; count += 1) {
    const value = {
      count,
      toJSON() {
        serialised += 1;
        return { count };
      },
    };
    file.save(value);
  }
  expect(await file.settled(5_000)).toBe(true);
  expect((await fileAt().load()).value).toEqual({ count: 1_000 });
  expect(serialised).toBeLessThan(5);
});

it.each([
  ['a torn file', '{"count": 1'],
  ['an empty file', ''],
  ['another shape', '{"count": "one"}'],
])('says that it cannot understand %s, and sets it aside', async (_what, text) => {
  writeFileSync(path, text);
  const file = fileAt();
  const loaded = await file.load();
  expect(loaded.value).toBeNull();
  expect(loaded.problem).toMatch(/heal\.json could not be understood/);
  expect(file.problem()).toBe(loaded.problem);
  expect(readFileSync(`${path}.broken`, 'utf8')).toBe(text);
  // From then on it works again.
  file.save({ count: 3 });
  expect(await file.settled(5_000)).toBe(true);
  expect(file.problem()).toBeNull();
});

it.each([
  ['a pipe', () => execFileSync('mkfifo', [path])],
  ['a folder', () => mkdirSync(path)],
])('waits for nothing where %s stands in its place, and says so', async (_what, put) => {
  put();
  const file = fileAt();
  const loaded = await file.load();
  expect(loaded).toEqual({ value: null, problem: expect.stringMatching(/not a regular file|EISDIR/) });
  file.save({ count: 4 });
  await until('the write fails', () => /cannot be written/.test(file.problem() ?? ''), 5_000);
  expect(statSync(path).isFile()).toBe(false);
});

it('waits for nothing where a pipe stands in the place of the file that it writes next', async () => {
  execFileSync('mkfifo', [`${path}.next`]);
  const file = fileAt();
  file.save({ count: 5 });
  await until('the write fails', () => /cannot be written/.test(file.problem() ?? ''), 5_000);
});

it('holds nobody up where the disk takes nothing, and writes as soon as it does', async () => {
  const blocked = join(folder, 'not-a-folder');
  writeFileSync(blocked, '');
  const file = fileAt(join(blocked, 'heal.json'));
  file.save({ count: 6 });
  expect(await file.settled(5_000)).toBe(false);
  expect(file.problem()).toMatch(/cannot be written to .*heal\.json \(ENOTDIR\)/);
  rmSync(blocked);
  await until('it is tried again', () => file.problem() === null, 20_000);
  expect((await fileAt(join(blocked, 'heal.json')).load()).value).toEqual({ count: 6 });
}, 30_000);

it('gives up on a disk that does not answer', async () => {
  const file = createStateFile({ path, schema, inTurn: () => new Promise(() => undefined) });
  const loaded = await file.load();
  expect(loaded.problem).toContain(`could not be read within ${LOAD_MS / 1000} s`);
  file.save({ count: 7 });
  expect(await file.settled(50)).toBe(false);
});

it('lets the files of one folder take turns, so that a disk that hangs holds up one thread', async () => {
  const inTurn = createTurn();
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} ends`);
    if (name === 'a') throw new Error('a failed');
  };
  await Promise.allSettled([inTurn(work('a')), inTurn(work('b'))]);
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

it('tells for a whole folder whether all is kept, and what is not', async () => {
  const state = openStateFolder(folder);
  const good = state.file('good.json', schema);
  const bad = state.file('bad.json', schema);
  mkdirSync(join(folder, 'bad.json'));
  good.save({ count: 8 });
  expect(await state.settled(5_000)).toBe(true);
  expect(state.problems()).toEqual([]);
  bad.save({ count: 9 });
  expect(await state.settled(5_000)).toBe(false);
  expect(state.problems()).toEqual([expect.stringMatching(/bad\.json/)]);
});
