import { createHash } from 'node:crypto';
import type { Holding } from '../account/account.ts';

/**
 * The id that an order to close something is sent with: the same for the same key, holding and number, so that an order
 * that was sent before a restart is known again. Letters and digits, 30 of them, as every exchange takes them.
 */
export function clientOrderId(key: string, { symbol, kind, side }: Holding, number: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([key, kind, symbol, side, number]))
    .digest('hex');
  return `bw${hash.slice(0, 28)}`;
}
