import { Big } from 'big.js';
import type { Holding, OpenOrder } from '../account/account.ts';
import type { Judged } from '../close/judge.ts';

/** What is open, as the contract has it, with what is too small to close beside it. */
export function positionsBody({ open, orders, dust, outside, at }: Judged): object {
  return {
    open_positions: open.map(position),
    pending_orders: orders.map(order),
    dust: dust.map(position),
    outside_scope: outside,
    read_at: at.toISOString(),
  };
}

function position({ symbol, kind, side, amount, contractSize, entryPrice, hedged }: Holding): object {
  return {
    symbol,
    kind,
    side,
    // Coins of the base; for an inverse contract, what it is worth in the quote.
    size: Number(new Big(amount).times(contractSize ?? 1)),
    ...(kind === 'contract' ? { contracts: Number(amount), contract_size: contractSize, hedged } : {}),
    ...(entryPrice === null ? {} : { entry_price: entryPrice }),
  };
}

function order({ id, symbol, side, type, amount, price, triggerPrice }: OpenOrder): object {
  return {
    id,
    symbol,
    side,
    type,
    amount,
    price,
    ...(triggerPrice === null ? {} : { trigger_price: triggerPrice }),
  };
}
