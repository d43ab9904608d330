import { createMonitor, type Probe, type Snapshot } from '@botwarden/probes';
import { createFakeClock } from '@botwarden/probes/testing';
import type { WaitedFor } from '@botwarden/service/json-call';
import { describe, expect, it } from 'vitest';
import { BotError, type BotErrorCode } from '../../../src/bot/bot.ts';
import { BotUnhealthyError } from '../../../src/watch/bot-probes.ts';
import { factsOf } from '../../../src/watch/facts.ts';
import { explain, obstaclesOf } from '../../../src/watch/unmendable.ts';

const CALL = { adapter: 'http', path: 'BOT_HEALTH_PATH' } as const;
const answered = (status: number, code: BotErrorCode = 'BOT_STATUS') =>
  new BotError(code, `GET /health: answered ${status}`, { status });
const failed = (code: BotErrorCode) => new BotError(code, `GET /health: ${code}`);

const late = (waitedFor: WaitedFor) => new BotError('BOT_TIMEOUT', 'GET /health: late', { waitedFor });

/** Lets the probe `api` fail by each of these in turn, one a second, and reads the facts of the last moment. */
async function seen(...errors: Array<Error | 'pass'>) {
  const clock = createFakeClock();
  let run = 0;
  const api: Probe = {
    name: 'api',
    run: async () => {
      const error = errors[Math.min(run, errors.length - 1)];
      run += 1;
      if (error !== 'pass') throw explain(error, CALL);
      return { details: { instance: 'boot-1' } };
    },
  };
  const monitor = createMonitor({
    probes: [api],
    interval: 1_000,
    failureThreshold: 3,
    clock,
    random: () => 0,
  });
  monitor.start();
  await clock.advance((errors.length - 1) * 1_000 + 1);
  const snapshot: Snapshot = monitor.snapshot();
  const facts = factsOf(snapshot, {
    lease: null,
    held: false,
    drained: false,
    heeded: true,
    failureThreshold: 3,
    history: (name) => monitor.history(name),
  });
  await monitor.close();
  return { api: facts.api, obstacles: obstaclesOf(snapshot) };
}

describe('what the API of the bot is taken for', () => {
  it.each<[string, Array<Error | 'pass'>, string]>([
    ['one that answers', ['pass'], 'answers'],
    ['one that answered 503 three times', Array(3).fill(answered(503)), 'fails'],
    ['one that answered 408 three times', Array(3).fill(answered(408)), 'fails'],
    [
      'one that says three times that it is not ok',
      Array(3).fill(new BotUnhealthyError('BOT_NOT_OK', 'ill')),
      'fails',
    ],
    ['one that timed out three times', Array(3).fill(failed('BOT_TIMEOUT')), 'silent'],
    [
      'one that answered 503, and then not at all',
      [answered(503), failed('BOT_TIMEOUT'), failed('BOT_TIMEOUT')],
      'fails',
    ],
    ['one that timed out twice', Array(2).fill(failed('BOT_TIMEOUT')), 'unknown'],
    ['one that nothing listens at', [failed('BOT_REFUSED')], 'gone'],
    ['one that breaks the connection', [failed('BOT_RESET')], 'gone'],
    ['one whose name does not resolve', Array(9).fill(failed('BOT_NOT_FOUND')), 'unnamed'],
    ['one that answers 401', Array(9).fill(answered(401, 'BOT_UNAUTHORISED')), 'refuses'],
    ['one that answers 403', Array(9).fill(answered(403, 'BOT_UNAUTHORISED')), 'refuses'],
    ['one that answers 404', Array(9).fill(answered(404)), 'refuses'],
    ['one that answers 405', Array(9).fill(answered(405)), 'refuses'],
    ['one that answers 429', Array(9).fill(answered(429)), 'refuses'],
    ['one that answers 400', Array(9).fill(answered(400)), 'refuses'],
    ['one that answers 204', Array(9).fill(answered(204)), 'refuses'],
    ['one whose name is not resolved in time', Array(9).fill(late('name')), 'unnamed'],
    ['one to which no connection is made in time', Array(9).fill(late('connection')), 'gone'],
    ['one that takes the connection and does not answer in time', Array(9).fill(late('answer')), 'silent'],
    ['one whose certificate is not accepted', Array(9).fill(failed('BOT_TLS')), 'refuses'],
    ['one that redirects', Array(9).fill(failed('BOT_REDIRECT')), 'refuses'],
    ['one that speaks something else', Array(9).fill(failed('BOT_MALFORMED')), 'refuses'],
    ['one that answers too much', Array(9).fill(failed('BOT_TOO_LARGE')), 'refuses'],
    ['one that the sidecar itself cannot call', Array(9).fill(failed('BOT_FAILED')), 'refuses'],
    [
      'one that answers 401, and was late with it once or twice',
      [...Array(5).fill(answered(401, 'BOT_UNAUTHORISED')), failed('BOT_TIMEOUT'), failed('BOT_TIMEOUT')],
      'unknown',
    ],
    [
      'one that went, and whose next boot hangs',
      [...Array(5).fill(failed('BOT_REFUSED')), ...Array(3).fill(failed('BOT_TIMEOUT'))],
      'silent',
    ],
  ])('%s', async (_what, errors, api) => {
    expect((await seen(...errors)).api).toBe(api);
  });
});

describe('what a person must mend', () => {
  it.each<[Error, RegExp]>([
    [answered(401, 'BOT_UNAUTHORISED'), /answered 401; set BOT_TOKEN/],
    [answered(404), /answered 404; set BOT_HEALTH_PATH .* BOT_URL/],
    [answered(429), /answered 429; .* PROBE_INTERVAL/],
    [failed('BOT_NOT_FOUND'), /start the container .* BOT_URL/],
    [failed('BOT_TLS'), /certificate/],
    [failed('BOT_MALFORMED'), /check-bot/],
  ])('%s comes with what to do', async (error, what) => {
    const { obstacles } = await seen(error, error, error);
    expect(obstacles).toEqual([expect.objectContaining({ sentence: expect.stringMatching(what) })]);
  });

  it('is nothing that a restart mends, and nothing that happened once', async () => {
    expect((await seen(...Array(9).fill(failed('BOT_TIMEOUT')))).obstacles).toEqual([]);
    expect((await seen(answered(401, 'BOT_UNAUTHORISED'))).obstacles).toEqual([]);
  });
});
