import { describeError } from '@botwarden/probes';
import { ExchangeError, type ExchangeErrorCode } from './errors.ts';

/** What came over the wire last, for a call that failed. */
export interface LastAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | null;
}

/** The names of ccxt's error classes, the most particular first: the first that an error is of decides. */
const CLASSES: readonly (readonly [name: string, code: ExchangeErrorCode])[] = [
  ['InvalidNonce', 'EXCHANGE_CLOCK'],
  ['PermissionDenied', 'EXCHANGE_READ_ONLY'],
  ['AuthenticationError', 'EXCHANGE_KEYS'],
  ['RateLimitExceeded', 'EXCHANGE_RATE_LIMITED'],
  ['DDoSProtection', 'EXCHANGE_RATE_LIMITED'],
  ['OnMaintenance', 'EXCHANGE_MAINTENANCE'],
  ['RequestTimeout', 'EXCHANGE_TIMEOUT'],
  ['ExchangeNotAvailable', 'EXCHANGE_UNAVAILABLE'],
  ['OperationFailed', 'EXCHANGE_UNREACHABLE'],
  ['InsufficientFunds', 'EXCHANGE_FUNDS'],
  ['OrderNotFound', 'EXCHANGE_UNKNOWN_ORDER'],
  ['DuplicateOrderId', 'EXCHANGE_DUPLICATE'],
  ['ArgumentsRequired', 'EXCHANGE_UNSUPPORTED'],
  ['NotSupported', 'EXCHANGE_UNSUPPORTED'],
  ['NullResponse', 'EXCHANGE_UNREADABLE'],
  ['ExchangeError', 'EXCHANGE_REJECTED'],
];

const WORDS: Readonly<Record<ExchangeErrorCode, string>> = {
  EXCHANGE_UNREACHABLE: 'the exchange cannot be reached, or the connection broke before its answer was whole',
  EXCHANGE_TIMEOUT: 'no whole answer from the exchange in time',
  EXCHANGE_UNAVAILABLE: 'the exchange is overloaded or failing',
  EXCHANGE_MAINTENANCE: 'the exchange is closed for maintenance',
  EXCHANGE_RATE_LIMITED: 'the exchange asks for fewer calls',
  EXCHANGE_KEYS:
    'the exchange does not accept the keys; check EXCHANGE_KEY_FILE and its kin, and the addresses they are for',
  EXCHANGE_READ_ONLY: 'the keys may not do that',
  EXCHANGE_CLOCK: "this machine's clock and the exchange's differ too much",
  EXCHANGE_UNREADABLE: 'the answer does not say what is open',
  EXCHANGE_REDUCE_ONLY: 'there is less to close than was asked for',
  EXCHANGE_FUNDS: 'there is not enough to pay the order with',
  EXCHANGE_UNKNOWN_ORDER: 'the exchange knows no such order',
  EXCHANGE_DUPLICATE: 'an order of that id was sent before',
  EXCHANGE_REJECTED: 'the exchange refused',
  EXCHANGE_UNSUPPORTED: 'the exchange has no such call',
  EXCHANGE_CANCELLED: 'nobody waits for it any more',
  EXCHANGE_FAILED: 'failed unexpectedly',
};

/**
 * The error that stands for what went wrong in a call. Of the exchange's own answer only its number is quoted: its
 * words may repeat what was sent, keys among it.
 *
 * @param call such as `reading positions`
 * @param codes what the numbers of this exchange mean where ccxt does not know it
 */
export function classify(
  error: unknown,
  call: string,
  answer: LastAnswer | null,
  codes: Readonly<Record<string, ExchangeErrorCode>>,
): ExchangeError {
  if (error instanceof ExchangeError) return error;
  const numbers = answer === null ? [] : numbersIn(answer.text);
  const known = numbers.map((number) => codes[number]).find((code) => code !== undefined);
  const code = known ?? codeOf(error, answer);
  const said = [
    ...(answer === null || answer.status < 300 ? [] : [`status ${answer.status}`]),
    ...(numbers.length === 0 ? [] : [`error ${numbers.join(', ')}`]),
  ];
  const detail = code === 'EXCHANGE_FAILED' ? ` (${describeError(error).slice(0, 100)})` : '';
  const quoted = said.length === 0 ? '' : ` (${said.join(', ')})`;
  return new ExchangeError(code, `${call}: ${WORDS[code]}${quoted}${detail}`, answer?.retryAfterMs ?? null);
}

function codeOf(error: unknown, answer: LastAnswer | null): ExchangeErrorCode {
  if (answer?.status === 429 || answer?.status === 418) return 'EXCHANGE_RATE_LIMITED';
  const names = classNames(error);
  const found = CLASSES.find(([name]) => names.has(name))?.[1] ?? 'EXCHANGE_FAILED';
  // It was reached, and said that it cannot.
  return found === 'EXCHANGE_UNREACHABLE' && (answer?.status ?? 0) >= 500 ? 'EXCHANGE_UNAVAILABLE' : found;
}

/** By name, as ccxt is loaded by another path than its types. */
function classNames(error: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = Object.getPrototypeOf(at)) {
    names.add(at.constructor.name);
  }
  return names;
}

/** The numbers that an exchange gives its errors: `code`, and `sCode` and its kin of single orders. */
function numbersIn(text: string): string[] {
  const found = text
    .slice(0, 20_000)
    .matchAll(/"(?:code|sCode|retCode|error_?code)"\s*:\s*"?(-?\d{1,8})"?/gi);
  return [...new Set([...found].map(([, number = '']) => number))].filter(
    (number) => !/^[012]$/.test(number),
  );
}
