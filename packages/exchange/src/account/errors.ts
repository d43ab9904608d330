/**
 * - `EXCHANGE_UNREACHABLE` no connection, or it broke · `EXCHANGE_TIMEOUT` no whole answer in time ·
 *   `EXCHANGE_UNAVAILABLE` it is overloaded or failing · `EXCHANGE_MAINTENANCE` it is closed for a while ·
 *   `EXCHANGE_RATE_LIMITED` it asks to be left alone
 * - `EXCHANGE_KEYS` the keys are not accepted · `EXCHANGE_READ_ONLY` they may not trade · `EXCHANGE_CLOCK` the clocks
 *   differ too much
 * - `EXCHANGE_UNREADABLE` an answer that does not say what is open
 * - `EXCHANGE_REDUCE_ONLY` there is less to close than was asked for · `EXCHANGE_FUNDS` there is not enough to pay it
 *   with · `EXCHANGE_UNKNOWN_ORDER` no such order · `EXCHANGE_DUPLICATE` an order of that id was sent before ·
 *   `EXCHANGE_REJECTED` any other no to an order
 * - `EXCHANGE_UNSUPPORTED` this exchange has no such call · `EXCHANGE_CANCELLED` nobody waits for it any more ·
 *   `EXCHANGE_FAILED` anything else
 */
export type ExchangeErrorCode =
  | 'EXCHANGE_UNREACHABLE'
  | 'EXCHANGE_TIMEOUT'
  | 'EXCHANGE_UNAVAILABLE'
  | 'EXCHANGE_MAINTENANCE'
  | 'EXCHANGE_RATE_LIMITED'
  | 'EXCHANGE_KEYS'
  | 'EXCHANGE_READ_ONLY'
  | 'EXCHANGE_CLOCK'
  | 'EXCHANGE_UNREADABLE'
  | 'EXCHANGE_REDUCE_ONLY'
  | 'EXCHANGE_FUNDS'
  | 'EXCHANGE_UNKNOWN_ORDER'
  | 'EXCHANGE_DUPLICATE'
  | 'EXCHANGE_REJECTED'
  | 'EXCHANGE_UNSUPPORTED'
  | 'EXCHANGE_CANCELLED'
  | 'EXCHANGE_FAILED';

/** A call to the exchange that did not succeed. The message holds no key, no signature and no address. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  readonly code: ExchangeErrorCode;
  /** How long the exchange asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(code: ExchangeErrorCode, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** True where another try of the same cannot help: the keys are wrong, or may not do it. */
  get final(): boolean {
    return (
      this.code === 'EXCHANGE_KEYS' ||
      this.code === 'EXCHANGE_READ_ONLY' ||
      this.code === 'EXCHANGE_UNSUPPORTED'
    );
  }
}
