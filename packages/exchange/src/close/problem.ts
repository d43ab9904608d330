import type { ExchangeErrorCode } from '../account/errors.ts';

/** Why something is still open. */
export interface Problem {
  /** Null where it is about no symbol. */
  readonly symbol: string | null;
  readonly code: ExchangeErrorCode | 'EXCHANGE_STUCK';
  readonly message: string;
}
