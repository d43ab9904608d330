import { ExchangeError } from './errors.ts';

// ccxt reads leniently: from `{}`, and from rows it does not understand, it makes an empty list, which would be taken
// for flat. So what proves that nothing is open is looked at here as it came.

/** The names under which exchanges say how much of something there is. */
const AMOUNTS =
  /^(position_?amt|pos|size|contracts|qty|quantity|amount|total|current_?qty|volume|hold_?vol|open_?amount|szi|net_?quantity|balance)$/i;

/**
 * The rows of a list in an answer.
 *
 * @throws {ExchangeError} `EXCHANGE_UNREADABLE` where there is no list in it
 */
export function rowsIn(text: string, call: string): readonly unknown[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw unreadable(call, text.trim() === '' ? 'an empty body' : 'a body that is not JSON');
  }
  const list = firstList(body);
  if (list === undefined) throw unreadable(call, 'a body without a list');
  return list;
}

/**
 * Checks that no row was lost on the way from the answer to what was understood of it. A row may be left out where it
 * says itself that it is about nothing.
 *
 * @throws {ExchangeError} `EXCHANGE_UNREADABLE`
 */
export function checkNothingLost(rows: readonly unknown[], understood: number, call: string): void {
  if (rows.length <= understood) return;
  const unknown = rows.filter((row) => !isEmpty(row)).length;
  if (unknown > understood) {
    throw unreadable(call, `${rows.length} row(s), of which only ${understood} could be understood`);
  }
}

/** What an unreadable answer is. */
export function unreadable(call: string, what: string): ExchangeError {
  return new ExchangeError('EXCHANGE_UNREADABLE', `${call}: expected a list of what is open, got ${what}`);
}

/** Whether a row says that there is nothing of it: an amount is there, and every one is zero. */
function isEmpty(row: unknown): boolean {
  const amounts = amountsIn(row, 0);
  return (
    amounts.length > 0 &&
    amounts.every((amount) => /^[-+]?0*\.?0*(e[-+]?\d+)?$/i.test(amount) && amount !== '')
  );
}

function amountsIn(value: unknown, depth: number): string[] {
  if (typeof value !== 'object' || value === null || depth > 3) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    if (typeof item === 'object') return amountsIn(item, depth + 1);
    return AMOUNTS.test(key) && (typeof item === 'string' || typeof item === 'number') ? [String(item)] : [];
  });
}

/** The list that stands nearest to the top. */
function firstList(body: unknown): readonly unknown[] | undefined {
  let level: unknown[] = [body];
  for (let depth = 0; depth < 4 && level.length > 0; depth += 1) {
    const list = level.find((value) => Array.isArray(value));
    if (list !== undefined) return list as unknown[];
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return undefined;
}
