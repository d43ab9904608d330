import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openReceiptLog, type Receipt, ReceiptError, type ReceiptLog } from '../../src/drain/receipts.ts';

let folder: string;
let path: string;
let said: string[];
const say = (fields: Readonly<Record<string, unknown>>): void => void said.push(String(fields.event));
const log = { info: say, warn: say, error: say };
const open = (more: object = {}): Promise<ReceiptLog> => openReceiptLog({ path, log, ...more });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'botwarden-receipts-'));
  path = join(folder, 'not', 'there', 'yet', 'drains.jsonl');
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function receipt(id: string, state: Receipt['state'], instance: string | null = 'a'): Receipt {
  return {
    drain_id: id,
    trigger: 'SIGTERM',
    state,
    at: '2026-01-31T12:00:03.000Z',
    started_at: '2026-01-31T12:00:00.000Z',
    duration_ms: 3_000,
    boot: null,
    proof: [],
    bot_instance: instance,
    attempts: 1,
    open_positions: null,
    pending_orders: 0,
    reason: 'a line\nwith a break',
  };
}

it('makes its directory, and is read again as it was written', async () => {
  const first = await open();
  await first.append(receipt('1', 'started'));
  await first.append(receipt('1', 'flat'));
  const second = await open();
  expect(second.newest()).toEqual([receipt('1', 'flat'), receipt('1', 'started')]);
  expect(second.last()).toEqual(receipt('1', 'flat'));
  expect([second.unfinished(), second.problem(), said]).toEqual([undefined, null, []]);
});

it('knows the last line about each boot', async () => {
  const receipts = await open();
  await receipts.append(receipt('1', 'flat', 'a'));
  await receipts.append(receipt('2', 'not_flat', 'b'));
  await receipts.append(receipt('3', 'flat', null));
  const again = await open();
  expect([again.lastOf('a')?.drain_id, again.lastOf('b')?.drain_id, again.lastOf('c')]).toEqual([
    '1',
    '2',
    undefined,
  ]);
});

it('finds a drain that was never ended, until the next one starts', async () => {
  await (await open()).append(receipt('1', 'started'));
  const next = await open();
  expect(next.unfinished()?.drain_id).toBe('1');
  await next.append(receipt('2', 'started'));
  expect(next.unfinished()).toBeUndefined();
});

it('wherever a crash tears the last line, loses that line and no other', async () => {
  const first = await open();
  await first.append(receipt('1', 'flat'));
  const whole = readFileSync(path).length;
  await first.append(receipt('2', 'started'));
  const both = readFileSync(path);
  for (let length = whole; length < both.length; length += 1) {
    writeFileSync(path, both);
    truncateSync(path, length);
    const torn = await open();
    // All but its line break is there: then nothing is lost.
    const complete = length === both.length - 1;
    expect(torn.newest().map(({ drain_id }) => drain_id)).toEqual(complete ? ['2', '1'] : ['1']);
    await torn.append(receipt('3', 'flat'));
    const after = await open();
    expect(after.newest().map(({ drain_id }) => drain_id)).toEqual(complete ? ['3', '2', '1'] : ['3', '1']);
  }
});

it('skips lines that are no receipts, and says so', async () => {
  await (await open()).append(receipt('1', 'flat'));
  appendFileSync(path, 'hello\n{"drain_id":"x"}\n[]\n\n{"state":"flat"}\n');
  const receipts = await open();
  await receipts.append(receipt('2', 'flat'));
  expect(receipts.newest().map(({ drain_id }) => drain_id)).toEqual(['2', '1']);
  expect(said).toEqual(['receipts.skipped']);
});

it('reads only the end of a long file', async () => {
  const lines = Array.from({ length: 1_000 }, (_, n) => `${JSON.stringify(receipt(String(n), 'flat'))}\n`);
  await open();
  writeFileSync(path, lines.join(''));
  const receipts = await open({ readLimit: 3_000 });
  expect(receipts.last()?.drain_id).toBe('999');
  expect(receipts.newest(10_000).length).toBeLessThan(15);
  expect(said).toEqual([]);
});

it('keeps the order of receipts that are appended at once', async () => {
  const receipts = await open();
  await Promise.all(['1', '2', '3', '4'].map((id) => receipts.append(receipt(id, 'flat'))));
  expect((await open()).newest().map(({ drain_id }) => drain_id)).toEqual(['4', '3', '2', '1']);
});

it('says at the start that nothing can be written there, and keeps receipts in memory', async () => {
  writeFileSync(join(folder, 'not'), 'a file where a directory should be');
  const receipts = await open();
  expect(said).toEqual(['receipts.unwritable']);
  expect(receipts.problem()).toContain('DRAIN_LOG');
  await expect(receipts.append(receipt('1', 'started'))).rejects.toThrow(ReceiptError);
  expect(receipts.last()?.drain_id).toBe('1');
});

it('writes again when it can again', async () => {
  const blocked = join(folder, 'not');
  writeFileSync(blocked, '');
  const receipts = await open();
  await receipts.append(receipt('1', 'started')).catch(() => undefined);
  rmSync(blocked);
  await receipts.append(receipt('1', 'flat'));
  expect([receipts.problem(), (await open()).last()?.state]).toEqual([null, 'flat']);
});
