import { redact } from '@botwarden/probes';

/** One open position or pending order, reduced to what a person is shown. A field is null where the bot does not tell it. */
export interface OpenItem {
  /** Such as `BTC/USDT`. */
  readonly symbol: string | null;
  /** Such as `long` or `buy`, in the bot's own word. */
  readonly side: string | null;
  /** As the bot wrote it: a decimal number keeps its digits. */
  readonly size: string | null;
}

/** So many items are shown of each list; the counts tell how many there are. */
export const ITEMS_SHOWN = 20;
const MAX_TEXT = 60;

/** Under which names bots, freqtrade and ccxt tell each field; the first that is there counts. */
const SYMBOL = ['symbol', 'pair', 'market', 'instrument'];
const SIDE = ['side', 'ft_order_side'];
const SIZE = ['size', 'quantity', 'qty', 'contracts', 'amount'];

/** A list as the bot sent it, reduced; null where it sent a count. Pure. `secrets` are masked. */
export function openItems(
  sent: readonly unknown[] | null,
  secrets: readonly string[] = [],
): readonly OpenItem[] | null {
  return sent === null ? null : sent.slice(0, ITEMS_SHOWN).map((item) => openItem(item, secrets));
}

function openItem(sent: unknown, secrets: readonly string[]): OpenItem {
  // Some bots list nothing but the symbols.
  if (typeof sent !== 'object' || sent === null) {
    return { symbol: short(typeof sent === 'string' ? sent : null, secrets), side: null, size: null };
  }
  const told = (names: readonly string[]): string | null => {
    for (const name of names) {
      const text = short(Object.hasOwn(sent, name) ? Reflect.get(sent, name) : null, secrets);
      if (text !== null) return text;
    }
    return null;
  };
  return { symbol: told(SYMBOL), side: told(SIDE) ?? direction(sent), size: told(SIZE) };
}

/** freqtrade says it so. */
function direction(sent: object): string | null {
  const isShort: unknown = Reflect.get(sent, 'is_short');
  return typeof isShort === 'boolean' ? (isShort ? 'short' : 'long') : null;
}

/** A text or a number as one short line without control characters; null for anything else. */
function short(value: unknown, secrets: readonly string[]): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : null;
  if (typeof value !== 'string') return null;
  const line = redact(value, secrets)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  if (line === '') return null;
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT - 1).replace(/[\ud800-\udbff]$/, '')}…` : line;
}
