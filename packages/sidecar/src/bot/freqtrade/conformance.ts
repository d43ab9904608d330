import { setTimeout as delay } from 'node:timers/promises';
import { BotError } from '../bot.ts';
import { advise, type Finding, fails, judge, skipped } from '../finding.ts';
import { createFreqtradeCalls, type FreqtradeCalls } from './calls.ts';
import { createPace } from './pace.ts';
import { lookAtWorker, type Sight } from './worker.ts';

/** What to check. */
export interface CheckFreqtradeOptions {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** One call, in milliseconds. */
  readonly timeoutMs: number;
  /** How old the last iteration may be, in milliseconds. */
  readonly tickMaxAgeMs: number;
  /** `DRAIN_TIMEOUT`, in milliseconds. */
  readonly drainTimeoutMs: number;
}

const ELAPSED = (): number => performance.now();
/** The end of an iteration is waited for this long, in milliseconds, and no longer than a part of DRAIN_TIMEOUT. */
const ITERATION_MS = 20_000;
const LOOK_EVERY_MS = 500;

/** Asks freqtrade, by its own calls, what a guard will ask it. Nothing is traded, and nothing is changed. */
export async function checkFreqtrade(options: CheckFreqtradeOptions): Promise<readonly Finding[]> {
  const calls = createFreqtradeCalls({ ...options, pace: createPace(ELAPSED) });
  const anyone = createFreqtradeCalls({ ...options, username: '', password: '', pace: createPace(ELAPSED) });
  const soon = (): AbortSignal => AbortSignal.timeout(options.timeoutMs);
  try {
    const pongs = await calls.ping(soon());
    const ping = judge(
      'GET /api/v1/ping',
      'answers, without credentials',
      pongs,
      'nothing that is a freqtrade answers there: is api_server.enabled true, and listen_ip_address 0.0.0.0 inside a container?',
    );
    const sight = await attempt(lookAtWorker(calls, soon()));
    return [
      ping,
      ...(await checkWorker(calls, sight, options)),
      ...(await checkTrades(calls, soon)),
      ...(await checkLog(calls, soon)),
      ...checkCloseCalls(sight),
      await checkDoor(anyone, soon),
    ];
  } finally {
    await calls.dispose();
    await anyone.dispose();
  }
}

const attempt = <T>(call: Promise<T>): Promise<T | BotError> =>
  call.catch((error: unknown) => BotError.from(error, 'call'));

async function checkWorker(
  calls: FreqtradeCalls,
  sight: Sight | BotError,
  options: CheckFreqtradeOptions,
): Promise<readonly Finding[]> {
  const call = 'GET /api/v1/health, GET /api/v1/show_config';
  const answers = 'answer with BOT_USERNAME and BOT_PASSWORD';
  if (sight instanceof BotError) {
    const advice =
      sight.code === 'BOT_UNAUTHORISED'
        ? `${sight.message}: they are not api_server.username and api_server.password of its configuration`
        : sight.message;
    return [fails(call, answers, advice)];
  }
  const { state, processedAt } = sight;
  const found: Finding[] = [
    judge(call, answers, true, ''),
    advise(
      call,
      'say that it trades',
      state === 'running',
      `its state is ${state}: it opens no trades before /start`,
    ),
  ];
  if (state === 'stopped') return found;
  const expected = 'say that its worker has ended an iteration lately';
  if (processedAt === null) return [...found, fails(call, expected, 'it has ended none since it started')];
  const ageMs = Date.now() - processedAt;
  const fresh = ageMs <= options.tickMaxAgeMs;
  found.push(judge(call, expected, fresh, `the last one ended ${Math.round(ageMs / 1_000)} s ago`));
  const waitMs = Math.min(ITERATION_MS, options.drainTimeoutMs / 3);
  found.push(
    advise(
      call,
      `show the end of an iteration within ${waitMs / 1_000} s, as a drain is flat only behind one`,
      await endsIteration(calls, sight, waitMs, options.timeoutMs),
      'none ended: make process_throttle_secs shorter, or DRAIN_TIMEOUT three times as long as an iteration',
    ),
  );
  return found;
}

async function endsIteration(
  calls: FreqtradeCalls,
  { processedAt }: Sight,
  waitMs: number,
  timeoutMs: number,
): Promise<boolean> {
  const end = ELAPSED() + waitMs;
  while (ELAPSED() < end) {
    const now = await attempt(lookAtWorker(calls, AbortSignal.timeout(timeoutMs)));
    if (!(now instanceof BotError) && (now.processedAt ?? 0) > (processedAt ?? 0)) return true;
    await delay(LOOK_EVERY_MS);
  }
  return false;
}

async function checkTrades(calls: FreqtradeCalls, soon: () => AbortSignal): Promise<readonly Finding[]> {
  const call = 'GET /api/v1/status, GET /api/v1/count';
  const expected = 'tell the same number of open trades';
  const [status, count] = await Promise.all([attempt(calls.status(soon())), attempt(calls.count(soon()))]);
  for (const answer of [status, count]) {
    if (answer instanceof BotError) return [fails(call, expected, answer.message)];
  }
  const listed = (status as readonly unknown[]).length;
  return [judge(call, expected, listed === count, `${listed} are listed and ${String(count)} counted`)];
}

async function checkLog(calls: FreqtradeCalls, soon: () => AbortSignal): Promise<readonly Finding[]> {
  const lines = await attempt(calls.logs(1, soon()));
  const advice = lines instanceof BotError ? lines.message : '';
  return [
    advise(
      'GET /api/v1/logs',
      'tells its log, where it says why a trade cannot be exited and what its exchange does',
      !(lines instanceof BotError),
      `${advice}: an outage of the exchange then looks like a hang`,
    ),
  ];
}

function checkCloseCalls(sight: Sight | BotError): readonly Finding[] {
  const stopped = !(sight instanceof BotError) && sight.state === 'stopped';
  return [
    skipped(
      'POST /api/v1/stopentry, POST /api/v1/forceexit',
      'stop entries, and exit each trade at the market',
      `freqtrade has no call that only pretends; --drill tries them${stopped ? ', and starts it, paused' : ''}`,
    ),
  ];
}

async function checkDoor(anyone: FreqtradeCalls, soon: () => AbortSignal): Promise<Finding> {
  const answer = await attempt(anyone.config(soon()));
  return advise(
    'GET /api/v1/show_config',
    'refuses whoever has no password',
    answer instanceof BotError && answer.code === 'BOT_UNAUTHORISED',
    'it was not answered with 401: anyone who reaches it can trade with it; set api_server.password',
  );
}
