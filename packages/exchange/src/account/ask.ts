import type { Exchange } from 'ccxt';
import { classify } from './classify.ts';
import { ExchangeError } from './errors.ts';
import type { Ways } from './ways.ts';
import type { Wire } from './wire.ts';

/**
 * Makes one call of ccxt. Rejects with an ExchangeError and nothing else.
 *
 * @param what the call, for messages, such as `reading positions`
 * @param check throws where the answer, as it came, does not hold what was understood of it
 */
export type Ask = <T>(
  what: string,
  signal: AbortSignal,
  call: () => Promise<T>,
  check?: (value: T, text: string) => void,
) => Promise<T>;

/** Makes the caller. A call that the exchange refuses for its clock is made again, once, after the clocks were compared. */
export function createAsk(exchange: Exchange, wire: Wire, { codes }: Pick<Ways, 'codes'>): Ask {
  const attempt: Ask = (what, signal, call, check) =>
    wire.run(signal, async (last) => {
      try {
        const value = await orAborted(call(), signal);
        check?.(value, last()?.text ?? '');
        return value;
      } catch (error) {
        if (signal.aborted)
          throw new ExchangeError('EXCHANGE_CANCELLED', `${what}: given up, as time was up`);
        throw classify(error, what, last(), codes);
      }
    });
  return async (what, signal, call, check) => {
    try {
      return await attempt(what, signal, call, check);
    } catch (error) {
      if (!(error instanceof ExchangeError) || error.code !== 'EXCHANGE_CLOCK') throw error;
      await attempt('comparing clocks', signal, () => exchange.loadTimeDifference());
      return attempt(what, signal, call, check);
    }
  };
}

/** ccxt's own calls cannot be cut off: one that waits in its queue is left there. */
function orAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const giveUp = (): void => reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  call.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  return promise;
}
