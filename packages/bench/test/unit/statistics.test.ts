import { describe, expect, test } from 'vitest';
import { figureOf, notMeasured, reached } from '../../src/figure.ts';
import { plot } from '../../src/plot.ts';
import { short, textOf } from '../../src/report.ts';
import { median, middleHalf, quantile, ratios } from '../../src/statistics.ts';
import { parse } from '../../src/wrk.ts';

describe('statistics', () => {
  test('the middle of an even number of values lies between the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
    expect(middleHalf([1, 2, 3, 4, 5])).toEqual([2, 4]);
    expect(quantile([1, 2, 3, 4, 5], 1)).toBe(5);
  });

  test('a ratio is taken within a round', () => {
    expect(ratios([10, 40], [10, 20])).toEqual([1, 2]);
  });
});

describe('a figure', () => {
  test.each([
    [{ atMost: 3 }, true],
    [{ atMost: 1 }, false],
    [{ atLeast: 2 }, true],
    [{ atLeast: 2.1 }, false],
  ])('of 2 that must be %j has reached it: %s', (target, expected) => {
    expect(reached(figureOf('x', '', [2], { target }))).toBe(expected);
  });

  test('that was not measured has neither reached nor missed, and says why', () => {
    const figure = notMeasured('the image', 'no engine answers', { atMost: 15 });
    expect(reached(figure)).toBeNull();
    expect(textOf('image', { figures: [figure] })).toMatch(
      /the image +not measured +≤ 15\n {2}the image: no engine/,
    );
  });

  test('is shown with three digits', () => {
    expect([1234.4, 123.45, 12.345, 0.012345, 3].map(short)).toEqual(['1234', '123', '12.3', '0.0123', '3']);
  });
});

describe('what wrk prints', () => {
  const text = (latency: string, tail = ''): string => `Running 1s test @ http://127.0.0.1:1/
  Latency Distribution
     50%  190.00us
     99%  ${latency}
  70154 requests in 1.10s, 16.19MB read
${tail}Requests/sec:  63776.30`;

  test('is read in milliseconds and answers per second', () => {
    expect(parse(text('480.00us'))).toEqual({
      requests: 70154,
      requestsPerSecond: 70154 / 1.1,
      p99Ms: 0.48,
      failed: 0,
    });
    expect(parse(text('1.25ms')).p99Ms).toBe(1.25);
    expect(parse(text('1.25s')).p99Ms).toBe(1250);
  });

  test('counts what was not answered', () => {
    const tail = '  Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 10\n';
    expect(parse(text('1.00ms', tail)).failed).toBe(16);
  });

  test('that is no summary is refused', () => {
    expect(() => parse('unable to connect')).toThrow('expected a summary of wrk, got unable to connect');
  });
});

test('a plot has a circle for each point, and the line that proportional would be', () => {
  const svg = plot({
    title: 't',
    x: 'n',
    y: '%',
    points: [
      [10, 0.1],
      [100, 1],
      [1000, 10],
    ],
  });
  expect(svg.match(/<circle/g)).toHaveLength(3);
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(svg).not.toContain('NaN');
});
