import { type Bot, BotError, type BotHealth, type BotPositions } from './bot.ts';
import { advise, type Finding, fails, judge, skipped } from './finding.ts';
import { createRehearsal } from './rehearsal.ts';

/** What to check against. */
export interface ConformanceOptions {
  readonly bot: Bot;
  /** The same bot, asked without credentials; absent where none are configured. */
  readonly anonymous?: Bot | undefined;
  readonly paths: {
    readonly health: string;
    readonly models: string;
    readonly positions: string;
    readonly close: string;
  };
  /** Names that must be loaded; `any`: at least one model; `none`: there may be none. */
  readonly expectedModels: 'any' | 'none' | readonly string[];
  /** How old the last tick may be, in milliseconds. */
  readonly tickMaxAgeMs: number;
  /** One call, in milliseconds. */
  readonly timeoutMs: number;
  /** Wall clock in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Asks a bot everything the contract lets one ask without trading: reads, and a rehearsal of the close call, which is
 * made only where the bot announces `dry_run`. Nothing is changed at the bot.
 */
export async function checkConformance(options: ConformanceOptions): Promise<readonly Finding[]> {
  const { bot, paths } = options;
  const before = await ask(bot.positions, options.timeoutMs);
  const first = await ask(bot.health, options.timeoutMs);
  const models = await checkModels(options);
  const close = await checkClose(options, first);
  const after = await ask(bot.positions, options.timeoutMs);
  const second = await ask(bot.health, options.timeoutMs);
  return [
    ...checkHealth(`GET ${paths.health}`, first, second, options),
    ...models,
    ...checkPositions(`GET ${paths.positions}`, before),
    ...close,
    ...unchanged(`POST ${paths.close}`, close, [before, after], [first, second]),
  ];
}

type Asked<T> = T | BotError | null;

async function ask<T>(
  call: ((signal: AbortSignal) => Promise<T>) | undefined,
  ms: number,
): Promise<Asked<T>> {
  if (call === undefined) return null;
  return call(AbortSignal.timeout(ms)).catch((error: unknown) => BotError.from(error, 'call'));
}

const told = <T>(asked: Asked<T>): T | null => (asked instanceof BotError ? null : asked);

function checkHealth(
  call: string,
  first: Asked<BotHealth>,
  second: Asked<BotHealth>,
  { tickMaxAgeMs, now = Date.now }: ConformanceOptions,
): readonly Finding[] {
  if (first === null)
    return [
      skipped(
        call,
        'is switched off',
        'without it a hung bot is not noticed, and a restarted one is not told apart',
      ),
    ];
  if (first instanceof BotError) return [fails(call, 'answers 200 with {"status":"ok"}', first.message)];
  const again = told(second);
  const findings = [
    judge(
      call,
      'says that its status is ok',
      first.status === 'ok',
      `it says ${JSON.stringify(first.status.slice(0, 40))}`,
    ),
    advise(
      call,
      'names its boot in "instance"',
      first.instance !== null,
      'without it a restart in the middle of a drain may go unseen, and a bot that was drained and is gone is never "nothing to do"',
    ),
    advise(
      call,
      'says "trading": "running" or "halted"',
      first.trading !== null,
      'without it nobody sees that a bot goes on trading after a close call',
    ),
    advise(
      call,
      'tells its last tick in "last_tick_at"',
      first.lastTickAt !== null,
      'without it a hung trading loop behind a working API is not noticed',
    ),
    advise(
      call,
      'says "database": "connected" or "disconnected"',
      first.database !== null,
      'without it a bot that lost its database, and cannot find back, is not restarted',
    ),
    advise(
      call,
      'announces "dry_run": true',
      first.dryRun,
      'without it the close call is never rehearsed, and a broken one shows only when it is needed',
    ),
  ];
  if (first.instance !== null && again !== null) {
    findings.push(
      judge(
        call,
        'names the same boot twice',
        again.instance === first.instance,
        `"instance" changed from ${first.instance} to ${again.instance}: it must change with a restart and with nothing else`,
      ),
    );
  }
  if (first.lastTickAt !== null && first.trading !== 'halted') {
    const age = now() - first.lastTickAt.getTime();
    findings.push(
      judge(
        call,
        'has ticked lately',
        age <= tickMaxAgeMs && age > -tickMaxAgeMs,
        `"last_tick_at" is ${(age / 1000).toFixed(1)} s ago by this clock; expected at most ${tickMaxAgeMs / 1000} s (TICK_MAX_AGE)`,
      ),
    );
  }
  return findings;
}

async function checkModels({
  bot,
  paths,
  expectedModels,
  timeoutMs,
}: ConformanceOptions): Promise<readonly Finding[]> {
  const call = `GET ${paths.models}`;
  const models = await ask(bot.models, timeoutMs);
  if (models === null)
    return [skipped(call, 'is switched off', 'without it a bot without its models looks healthy')];
  if (models instanceof BotError) return [fails(call, 'answers 200 with {"models":[…]}', models.message)];
  const names = expectedModels === 'any' || expectedModels === 'none' ? [] : expectedModels;
  const missing = names.filter((name) => !models.some((model) => model.name === name));
  const idle = models.filter(({ loaded }) => !loaded).map(({ name }) => name);
  return [
    judge(
      call,
      'lists at least one model',
      models.length > 0 || expectedModels === 'none',
      'the list is empty; set EXPECTED_MODELS=none if that is as it should be',
    ),
    judge(call, 'lists every expected model', missing.length === 0, `missing: ${missing.join(', ')}`),
    judge(call, 'has all of them loaded', idle.length === 0, `not loaded: ${idle.join(', ')}`),
  ];
}

function checkPositions(call: string, positions: Asked<BotPositions>): readonly Finding[] {
  if (positions === null)
    return [
      skipped(
        call,
        'is switched off',
        'without it only the bot’s answer to the close call, and FLAT_CHECK_SQL, can say that it is flat',
      ),
    ];
  const expected = 'answers 200 with {"open_positions":[…],"pending_orders":[…]}, as lists or counts';
  if (positions instanceof BotError) return [fails(call, expected, positions.message)];
  const lists = positions.detail.open !== null && positions.detail.pending !== null;
  return [
    { call, expected, outcome: 'meets', advice: '' },
    advise(
      call,
      'sends lists',
      lists,
      'counts are enough to be flat; with lists the emergency call can say what is open',
    ),
  ];
}

async function checkClose(
  { bot, anonymous, paths, timeoutMs }: ConformanceOptions,
  health: Asked<BotHealth>,
): Promise<readonly Finding[]> {
  const call = `POST ${paths.close}`;
  const expected = 'answers a rehearsal ("dry_run": true) with 200 or 202 and what it would close';
  if (told(health)?.dryRun !== true) {
    return [
      skipped(
        call,
        expected,
        'the bot does not announce "dry_run": true in its health, and might close for real; --drill tries the real call',
      ),
    ];
  }
  const rehearsal = await ask(createRehearsal(bot), timeoutMs);
  if (rehearsal instanceof BotError) return [fails(call, expected, rehearsal.message)];
  const findings: Finding[] = [{ call, expected, outcome: 'meets', advice: '' }];
  if (anonymous !== undefined) {
    const without = await ask(createRehearsal(anonymous), timeoutMs);
    const refused = without instanceof BotError && without.code === 'BOT_UNAUTHORISED';
    findings.push(
      advise(
        call,
        'refuses whoever has no token',
        refused,
        'the same call without BOT_TOKEN was not answered with 401: anyone who reaches the bot can have it close',
      ),
    );
  }
  return findings;
}

/** A rehearsal that changed something was no rehearsal. */
function unchanged(
  call: string,
  close: readonly Finding[],
  positions: readonly Asked<BotPositions>[],
  health: readonly Asked<BotHealth>[],
): readonly Finding[] {
  if (close.every(({ outcome }) => outcome === 'skipped')) return [];
  const [before, after] = positions.map(told);
  const [first, second] = health.map(told);
  const halted = first?.trading === 'running' && second?.trading === 'halted';
  const emptied = before != null && after != null && total(before) > 0 && total(after) === 0;
  return [
    judge(
      call,
      'changes nothing in a rehearsal',
      !halted && !emptied,
      `after it ${halted ? 'trading was halted' : 'nothing was open any more'}: do not announce "dry_run" before it is true`,
    ),
  ];
}

const total = (positions: BotPositions): number => positions.open + positions.pending;
