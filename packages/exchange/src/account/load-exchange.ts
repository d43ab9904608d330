import { existsSync } from 'node:fs';
import type { Exchange } from 'ccxt';

type ExchangeClass = new (config: object) => Exchange;

/**
 * The class of one exchange, and no more of ccxt than it needs: all hundred of them cost twice the memory and three
 * times the start.
 *
 * @param id ccxt's name for it, such as `binanceusdm`
 */
export async function loadExchange(id: string): Promise<ExchangeClass> {
  const { default: found } = (await import(addressOf(id).href)) as { default: ExchangeClass };
  return found;
}

/** Whether ccxt knows an exchange of that name. */
export function isExchange(id: string): boolean {
  return /^[a-z0-9]+$/.test(id) && existsSync(addressOf(id));
}

/** Where ccxt keeps that class: beside its own first file, which its package names. */
function addressOf(id: string): URL {
  return new URL(`./src/${id}.js`, import.meta.resolve('ccxt'));
}
