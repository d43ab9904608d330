import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Agenda, appointment } from '../../src/agenda.ts';
import { createFakeClock } from '../../src/testing.ts';

test('everything is kept at its moment, in order, with one timer at a time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ item: fc.nat({ max: 7 }), due: fc.option(fc.integer({ min: 0, max: 300 })) }), {
        maxLength: 60,
      }),
      async (moves) => {
        const clock = createFakeClock();
        const agenda = new Agenda(clock);
        const kept: Array<{ item: number; at: number }> = [];
        const items = Array.from({ length: 8 }, (_, item) =>
          appointment(() => kept.push({ item, at: clock.monotonic() })),
        );
        const expected = new Map<number, number>();
        for (const { item, due } of moves) {
          const one = items[item];
          if (one === undefined) continue;
          if (due === null) {
            agenda.clear(one);
            expected.delete(item);
          } else {
            agenda.set(one, due);
            expected.set(item, due);
          }
          expect(clock.timers).toBeLessThanOrEqual(1);
        }
        await clock.advance(400);
        expect(kept.map(({ at }) => at)).toEqual([...expected.values()].sort((one, other) => one - other));
        expect(new Map(kept.map(({ item, at }) => [item, at]))).toEqual(expected);
        agenda.close();
        expect(clock.timers).toBe(0);
      },
    ),
  );
});

test('one that throws does not keep the others from being kept', async () => {
  const clock = createFakeClock();
  const agenda = new Agenda(clock);
  const kept: string[] = [];
  agenda.set(
    appointment(() => {
      throw new Error('a defect');
    }),
    10,
  );
  agenda.set(
    appointment(() => kept.push('other')),
    10,
  );
  await expect(clock.advance(10)).rejects.toThrow('a defect');
  await clock.advance(0);
  expect(kept).toEqual(['other']);
});

test('one that puts itself on again is kept again', async () => {
  const clock = createFakeClock();
  const agenda = new Agenda(clock);
  let turns = 0;
  const turn = appointment(() => {
    turns += 1;
    agenda.set(turn, clock.monotonic() + 10);
  });
  agenda.set(turn, 0);
  await clock.advance(55);
  expect(turns).toBe(6);
  agenda.close();
  await clock.advance(100);
  expect(turns).toBe(6);
});
