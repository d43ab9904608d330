import { describe, expect, it } from 'vitest';
import { type Boot, followBoot, nameOf, type Sign } from '../../../src/heal/boot.ts';

const NOTHING: Sign = { lease: null, instance: undefined, wasGone: false, mayBeTheSame: true };
const says = (instance: string | null, more: Partial<Sign> = {}): Sign => ({ ...NOTHING, instance, ...more });
const holds = (lease: string, more: Partial<Sign> = {}): Sign => ({ ...NOTHING, lease, ...more });

/** Plays signs; gives the names of the boot after each, with a star where it is another one. */
function play(...signs: Sign[]): string[] {
  let boot: Boot | null = null;
  return signs.map((sign) => {
    const followed = followBoot(boot, sign);
    boot = followed.boot;
    return `${nameOf(boot) ?? '-'}${followed.another ? '*' : ''}`;
  });
}

describe('which boot it is', () => {
  it.each<[string, Sign[], string[]]>([
    ['nothing is there', [NOTHING, NOTHING], ['-', '-']],
    ['the first is not another', [says('a'), says('a')], ['a', 'a']],
    ['another name is another boot', [says('a'), says('b')], ['a', 'b*']],
    ['the gate speaks first, then the bot', [holds('a'), says('a', { lease: 'a' })], ['a', 'a']],
    ['the bot speaks first, then its gate', [says('a'), says('a', { lease: 'a' })], ['a', 'a']],
    [
      'the next gate speaks first, and its bot is counted once',
      [says('a', { lease: 'a' }), holds('b'), says('b', { lease: 'b' })],
      ['a', 'b*', 'b'],
    ],
    [
      'the next bot speaks before its gate, while the lease of the last one runs out',
      [says('a', { lease: 'a' }), says('b', { lease: 'a' }), says('b', { lease: null }), holds('b')],
      ['a', 'b*', 'b', 'b'],
    ],
    [
      'a late word of the last boot is not taken for the next one',
      [says('a', { lease: 'a' }), holds('b'), says('a', { lease: 'b' }), says('b', { lease: 'b' })],
      ['a', 'b*', 'b', 'b'],
    ],
    [
      'a bot with names of its own is counted once a boot',
      [
        says('x', { lease: 'a' }),
        says('y', { lease: 'a' }),
        holds('b'),
        says('y', { lease: 'b' }),
        holds('c'),
        says('z', { lease: 'c' }),
      ],
      ['a', 'y*', 'b', 'b', 'c*', 'c'],
    ],
    ['a lease that comes back is the same boot', [holds('a'), NOTHING, holds('a')], ['a', 'a', 'a']],
    ['without names, having been gone tells', [says(null), says(null, { wasGone: true })], ['-', '-*']],
    ['without names and never gone, nothing tells', [says(null), says(null)], ['-', '-']],
    [
      'without names, a gate that stayed says that it is the same boot',
      [says(null, { lease: 'a' }), says(null, { lease: 'a', wasGone: true })],
      ['a', 'a'],
    ],
    ['with a name, having been gone tells nothing', [says('a'), says('a', { wasGone: true })], ['a', 'a']],
    [
      'a gate that appears while a verdict stands is that of another boot',
      [says('x'), holds('b', { mayBeTheSame: false })],
      ['x', 'b*'],
    ],
    ['unless the bot calls itself the same', [says('a'), holds('a', { mayBeTheSame: false })], ['a', 'a']],
  ])('%s', (_what, signs, names) => {
    expect(play(...signs)).toEqual(names);
  });
});
