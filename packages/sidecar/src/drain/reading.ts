import { type Bot, BotError, type BotPositions } from '../bot/bot.ts';
import type { Clock } from '../clock.ts';
import type { Leases } from '../lease/leases.ts';
import { cutOff } from './cut-off.ts';
import type { Reading } from './machine.ts';

/** What a look works with. */
export interface LookOptions {
  readonly bot: Bot;
  readonly clock: Clock;
  readonly leases: Leases;
  /** One read of positions, one of health, in milliseconds. */
  readonly readTimeoutMs: number;
}

/** One look at the bot, and the lists that it sent. Rejects only when `signal` aborts. */
export async function lookAtBot(
  { bot, clock, leases, readTimeoutMs }: LookOptions,
  signal: AbortSignal,
): Promise<{ readonly reading: Reading; readonly detail: BotPositions['detail'] | null }> {
  const began = clock.elapsed();
  const boot = leases.holder();
  const positions = await ask(bot.positions);
  // Where nobody listens there is no health to ask for either.
  const health = positions instanceof BotError && positions.disconnected ? null : await ask(bot.health);
  const tookMs = clock.elapsed() - began;
  const counts = positions === null || positions instanceof BotError ? null : positions;
  const self = health === null || health instanceof BotError ? null : health;
  return {
    reading: {
      counts,
      ...(positions instanceof BotError ? { why: positions.message } : {}),
      unsettled: positions instanceof BotError && positions.code === 'BOT_UNSETTLED',
      instance: self?.instance ?? null,
      trading: self?.trading ?? null,
      boot: boot === leases.holder() ? boot : null,
      lostTouch: lost(positions, health) || tookMs > 2 * readTimeoutMs,
      gone: positions instanceof BotError && positions.gone,
      tookMs,
    },
    detail: counts?.detail ?? null,
  };

  async function ask<T>(
    call: ((signal: AbortSignal) => Promise<T>) | undefined,
  ): Promise<T | BotError | null> {
    if (call === undefined) return null;
    try {
      return await cutOff(readTimeoutMs, signal, call);
    } catch (error) {
      signal.throwIfAborted();
      return BotError.from(error, 'read');
    }
  }
}

/** Slow health alone is no sign of a restart: the bot did tell its positions. */
function lost(positions: unknown, health: unknown): boolean {
  if (positions instanceof BotError && (positions.disconnected || positions.code === 'BOT_TIMEOUT'))
    return true;
  return health instanceof BotError && health.disconnected;
}
