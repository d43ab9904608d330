import type { ProbeView, Snapshot } from '@botwarden/probes';
import { BotError } from '../bot/bot.ts';

// What no restart of the bot can mend: it is told to a person, with what to do, and is never a reason to restart.

/** Whose call it was that failed. */
export interface FailedCall {
  readonly adapter: string;
  /** The variable that holds the path of the call. */
  readonly path: 'BOT_HEALTH_PATH' | 'BOT_MODELS_PATH' | 'BOT_CLOSE_PATH';
}

/** A bot that answers with a status below 500 is there: it does not want this call, or means something else by it. */
type RefusalCode = 'BOT_NO_SUCH_CALL' | 'BOT_RATE_LIMITED' | 'BOT_STATUS_4XX' | 'BOT_MALFORMED';

/** A failed call, with what to do about it. */
export class ExplainedError extends Error {
  override readonly name = 'ExplainedError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What is told of each code. `severity`: critical where the bot cannot be guarded, nor closed, until a person acts. */
const KINDS: Readonly<
  Record<string, { severity: 'warning' | 'critical'; advice: (call: FailedCall) => string }>
> = {
  BOT_UNAUTHORISED: {
    severity: 'critical',
    advice: ({ adapter }) =>
      adapter === 'freqtrade'
        ? 'set BOT_USERNAME and BOT_PASSWORD to those of its api_server'
        : 'set BOT_TOKEN to the token that the bot expects',
  },
  BOT_NO_SUCH_CALL: {
    severity: 'critical',
    advice: ({ adapter, path }) =>
      adapter === 'freqtrade'
        ? 'check that BOT_URL is the address of a freqtrade'
        : `set ${path} to the path that the bot has, and check BOT_URL`,
  },
  BOT_RATE_LIMITED: {
    severity: 'warning',
    advice: () => 'the bot is asked more often than it allows: make PROBE_INTERVAL longer',
  },
  BOT_STATUS_4XX: { severity: 'critical', advice: () => 'the bot refuses this call: look at its log' },
  BOT_NOT_FOUND: {
    severity: 'warning',
    advice: () => 'start the container of the bot if it is stopped, or correct the name in BOT_URL',
  },
  BOT_TLS: {
    severity: 'critical',
    advice: () => 'give the bot a certificate for the name in BOT_URL that the sidecar trusts, or use http',
  },
  BOT_REDIRECT: { severity: 'critical', advice: () => 'set BOT_URL to the address to which it leads' },
  BOT_MALFORMED: {
    severity: 'critical',
    advice: () =>
      'check that BOT_URL is the API of the bot; `botwarden check-bot` tells what its answers lack',
  },
  BOT_TOO_LARGE: { severity: 'critical', advice: () => 'check that BOT_URL is the API of the bot' },
  BOT_FAILED: {
    severity: 'critical',
    advice: () => 'the sidecar itself could not make the call: look at its log, and at what it may open',
  },
  // The bot says in its own words what is wrong.
  BOT_FAULT: { severity: 'critical', advice: () => '' },
  MODELS_UNKNOWN: {
    severity: 'warning',
    advice: () => 'correct EXPECTED_MODELS, or give the bot that model',
  },
};

/** Whether a code says something that no restart of the bot can mend. */
export function isUnmendable(code: string): boolean {
  return Object.hasOwn(KINDS, code);
}

/** `error` with a code that says whether a restart can mend it, and with what to do where none can. */
export function explain(error: unknown, call: FailedCall): unknown {
  if (!(error instanceof BotError)) return error;
  // One that was late before anything answered says nothing of a bot that hangs.
  if (error.waitedFor === 'connection') return new ExplainedError('BOT_UNREACHABLE', error.message);
  const code = error.waitedFor === 'name' ? 'BOT_NOT_FOUND' : (refusalOf(error) ?? error.code);
  const kind = KINDS[code];
  return kind === undefined ? error : new ExplainedError(code, `${error.message}; ${kind.advice(call)}`);
}

function refusalOf({ code, status }: BotError): RefusalCode | null {
  // 408 is a time-out of the bot's own.
  if (code !== 'BOT_STATUS' || status === null || status > 499 || status === 408) return null;
  if (status < 400) return 'BOT_MALFORMED';
  if (status === 404 || status === 405) return 'BOT_NO_SUCH_CALL';
  return status === 429 ? 'BOT_RATE_LIMITED' : 'BOT_STATUS_4XX';
}

/** The bot expected models that it never had; the message names them. */
export function unknownModels(unknown: readonly string[], known: readonly string[]): ExplainedError {
  const has = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
  return new ExplainedError(
    'MODELS_UNKNOWN',
    `expected these models, which this bot never had: ${unknown.join(', ')}; ${has}; ${KINDS.MODELS_UNKNOWN?.advice({ adapter: '', path: 'BOT_MODELS_PATH' })}`,
  );
}

/** Something that a person must mend. */
export interface Obstacle {
  /** The stable code of what is wrong. */
  readonly code: string;
  readonly severity: 'warning' | 'critical';
  /** What is wrong and what to do. */
  readonly sentence: string;
}

/** What stands in the way, once for each code, however many probes meet it. */
export function obstaclesOf({ probes }: Snapshot): Obstacle[] {
  const found = new Map<string, Obstacle>();
  for (const probe of probes) {
    const code = codeOf(probe);
    const kind = code === null ? undefined : KINDS[code];
    if (code === null || kind === undefined || found.has(code)) continue;
    found.set(code, { code, severity: kind.severity, sentence: probe.output ?? code });
  }
  return [...found.values()];
}

/** Whether the probe fails by something that no restart can mend. */
export function isObstructed(probe: ProbeView): boolean {
  return codeOf(probe) !== null;
}

/** Whether anything is still unknown of what an obstacle would show in. */
export function isOpen({ probes }: Snapshot): boolean {
  return probes.some(({ status }) => status === 'unknown' || status === 'paused');
}

function codeOf({ status, code }: ProbeView): string | null {
  return status === 'fail' && code !== undefined && isUnmendable(code) ? code : null;
}
