import { Big } from 'big.js';
import type { OrderRequest } from '../../venue/account.ts';
import { INSTRUMENTS, type Instrument } from '../../venue/instruments.ts';
import { Rejection } from '../../venue/rejection.ts';

/** What an instrument is called at OKX, and in which sizes it is traded. Sizes of swaps are in contracts. */
export interface Rules {
  readonly instrument: Instrument;
  readonly instId: string;
  readonly instType: 'SWAP' | 'SPOT';
  /** How much one contract is: coins of the base for a linear swap, quote for an inverse one. Empty for spot. */
  readonly contractValue: string;
  readonly lot: string;
  readonly min: string;
  readonly maxMarket: string;
}

const CONTRACTS: Readonly<Record<string, readonly [value: string, lot: string, min: string]>> = {
  BTC: ['0.01', '0.01', '0.01'],
  ETH: ['0.1', '0.01', '0.01'],
  SOL: ['1', '0.01', '0.1'],
};

/** Every instrument, as OKX trades it. */
export const RULES: readonly Rules[] = INSTRUMENTS.map((instrument): Rules => {
  const { base, quote, kind } = instrument;
  if (kind === 'spot') {
    return {
      instrument,
      instId: `${base}-${quote}`,
      instType: 'SPOT',
      contractValue: '',
      lot: '0.00000001',
      min: '0.00001',
      maxMarket: '1000000',
    };
  }
  const [value, lot, min] = kind === 'inverse' ? ['100', '1', '1'] : (CONTRACTS[base] ?? ['1', '1', '1']);
  return {
    instrument,
    instId: `${base}-${quote}-SWAP`,
    instType: 'SWAP',
    contractValue: value,
    lot,
    min,
    maxMarket: '12000',
  };
});

/** The rules of an instrument's id. */
export function rulesOf(instId: unknown): Rules {
  const found = RULES.find((one) => one.instId === instId);
  if (found === undefined) throw new Rejection('bad-request');
  return found;
}

/** The rules of an instrument. */
export function rulesFor(instrument: Instrument): Rules {
  const found = RULES.find((one) => one.instrument === instrument);
  if (found === undefined) throw new TypeError(`${instrument.name} has no rules`);
  return found;
}

/** What the venue calls so many contracts. */
export function toVenue({ instrument, contractValue }: Rules, contracts: Big): Big {
  return instrument.kind === 'linear' ? contracts.times(contractValue) : contracts;
}

/** How many contracts that is. */
export function toContracts({ instrument, contractValue }: Rules, size: Big): Big {
  return instrument.kind === 'linear' ? size.div(contractValue) : size;
}

/** @throws {Rejection} where an order has a size that is not traded */
export function checkSize(rules: Rules, contracts: Big, type: OrderRequest['type']): void {
  if (!contracts.mod(rules.lot).eq(0)) throw new Rejection('size-step');
  if (contracts.lt(rules.min)) throw new Rejection('size-too-small');
  if (type === 'market' && contracts.gt(rules.maxMarket)) throw new Rejection('size-too-large');
}

/** A row of `public/instruments`. */
export function instrumentRow(rules: Rules): object {
  const { instrument, instId, instType, contractValue, lot, min, maxMarket } = rules;
  const isSwap = instType === 'SWAP';
  const family = `${instrument.base}-${instrument.quote}`;
  return {
    alias: '',
    baseCcy: isSwap ? '' : instrument.base,
    category: '1',
    ctMult: isSwap ? '1' : '',
    ctType: isSwap ? instrument.kind : '',
    ctVal: contractValue,
    ctValCcy: !isSwap ? '' : instrument.kind === 'inverse' ? instrument.quote : instrument.base,
    expTime: '',
    instFamily: isSwap ? family : '',
    instId,
    instType,
    lever: isSwap ? '100' : '10',
    listTime: '1611907686000',
    lotSz: lot,
    maxIcebergSz: '100000000',
    maxLmtSz: '100000000',
    maxMktSz: maxMarket,
    maxStopSz: maxMarket,
    maxTriggerSz: '100000000',
    maxTwapSz: '100000000',
    minSz: min,
    optType: '',
    quoteCcy: isSwap ? '' : instrument.quote,
    settleCcy: !isSwap ? '' : instrument.kind === 'inverse' ? instrument.base : instrument.quote,
    state: 'live',
    stk: '',
    tickSz: new Big(10).pow(-instrument.decimals).toFixed(),
    uly: isSwap ? family : '',
    ruleType: 'normal',
  };
}
