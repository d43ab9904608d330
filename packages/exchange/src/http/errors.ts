import { refuse } from '@botwarden/service/http';
import type { Response } from 'express';
import type { ExchangeError } from '../account/errors.ts';

/**
 * Says that the exchange did not do it. Never with a 200, as that could be read as flat, nor with a 401, which is about
 * the caller's own token. 403 says that no other try can help.
 */
export function refuseFor(response: Response, error: ExchangeError, isClose: boolean): void {
  if (error.retryAfterMs !== null) {
    response.set('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  }
  refuse(response, isClose && error.final ? 403 : 503, error.code, error.message);
}
