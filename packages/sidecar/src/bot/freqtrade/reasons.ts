import type { BotError } from '../bot.ts';
import type { LogLine } from './calls.ts';
import type { Trade } from './trades.ts';

/** A reason is kept to one line of this length. */
const LONGEST = 300;

/**
 * Why freqtrade did not close a trade, in its own words. `failure` is the answer that told it; null where it answered
 * that the exit order was created, and there is none. An answer 500 has no words, which are in the log alone.
 */
export async function reasonFor(
  trade: Trade,
  failure: BotError | null,
  log: () => Promise<readonly LogLine[]>,
): Promise<string> {
  if (failure !== null && failure.status !== 500) return failure.message;
  const lines = await log();
  if (failure === null) {
    const said = lines.findLast((line) => isAboutExit(line, trade));
    const words = said === undefined ? 'its log does not say why' : `"${oneLine(said.text)}"`;
    return `freqtrade answered that the exit order was created, and there is none: ${words}`;
  }
  const thrown = lines.findLast(({ logger, level }) => logger === 'uvicorn.error' && level === 'ERROR');
  return thrown === undefined ? failure.message : oneLine(lastLine(thrown.text));
}

/** What `confirm_trade_exit` refuses is told at level INFO. */
function isAboutExit({ logger, level, text }: LogLine, { pair }: Trade): boolean {
  if (!logger.startsWith('freqtrade.freqtradebot')) return false;
  return text === `User denied exit for ${pair}.` || (level !== 'INFO' && /order|exit|amount/i.test(text));
}

/** The end of a traceback: `module.Exception: what it says`, without the module. */
function lastLine(text: string): string {
  const last = text.trim().split('\n').at(-1) ?? '';
  return last.replace(/^(?:\w+\.)+(?=\w+:)/, '');
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, LONGEST);
