import type { Bot } from '../bot/bot.ts';
import { createFreqtradeBot } from '../bot/freqtrade/freqtrade.ts';
import { createHttpBot } from '../bot/http.ts';
import type { Config } from '../config/config.ts';

/** The bot that the configuration names, through the adapter it names. */
export function createBot(config: Config['bot']): Bot {
  const { adapter, url, token, username, password, paths, expectedModels } = config;
  if (adapter === 'http') return createHttpBot({ url, token, paths });
  // The configuration was refused without them.
  if (username === undefined || password === undefined)
    throw new TypeError('freqtrade needs a user and a password');
  const models = typeof expectedModels === 'string' ? [] : expectedModels;
  return createFreqtradeBot({ url, username, password, models });
}
