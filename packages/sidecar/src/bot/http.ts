import { createJsonCaller } from '@botwarden/service/json-call';
import type { z } from 'zod';
import { readHealth, readModels, readPositions } from './answers.ts';
import { type Bot, BotError, type CloseAnswer, type CloseRequest } from './bot.ts';
import type { closeRequest } from './contract.ts';

/** The paths of the four calls; an empty text switches a read off. */
export interface HttpBotPaths {
  readonly health: string;
  readonly models: string;
  readonly positions: string;
  readonly close: string;
}

/** Where the calls are unless said otherwise. */
export const DEFAULT_PATHS: HttpBotPaths = {
  health: '/health',
  models: '/models',
  positions: '/positions',
  close: '/close-positions',
};

/** Options of {@link createHttpBot}. */
export interface HttpBotOptions {
  /** Base URL of the bot, like `http://bot:8000`. */
  readonly url: string | URL;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** Where the calls are. Default {@link DEFAULT_PATHS}. */
  readonly paths?: Partial<HttpBotPaths>;
}

const PACE = { readEveryMs: 250, closeAgainAfterMs: 1_000 };

/**
 * A bot with the project's own four calls. Throws a TypeError for a URL that is not absolute http or https, a path
 * without its leading slash, or an empty close path.
 */
export function createHttpBot(options: HttpBotOptions): Bot {
  const paths = { ...DEFAULT_PATHS, ...options.paths };
  for (const [name, path] of Object.entries(paths)) {
    if (path === '' && name === 'close') throw new TypeError('the close path cannot be switched off');
    if (path !== '' && !path.startsWith('/')) throw new TypeError(`the ${name} path must start with a slash`);
  }
  const caller = createJsonCaller({
    url: options.url,
    authorization: options.token === undefined ? undefined : `Bearer ${options.token}`,
  });

  async function get<T>(
    path: string,
    read: (body: unknown, call: string) => T,
    signal: AbortSignal,
  ): Promise<T> {
    const call = `GET ${path}`;
    try {
      const { body } = await caller.call({ method: 'GET', path, accept: (status) => status === 200 }, signal);
      return read(body, call);
    } catch (error) {
      throw BotError.from(error, call);
    }
  }

  async function post(request: CloseRequest, dryRun: boolean, signal: AbortSignal): Promise<CloseAnswer> {
    const call = `POST ${paths.close}`;
    try {
      const { status, body } = await caller.call(
        {
          method: 'POST',
          path: paths.close,
          headers: { 'idempotency-key': request.drainId },
          body: {
            drain_id: request.drainId,
            reason: request.reason,
            deadline: request.deadline.toISOString(),
            ...(dryRun ? { dry_run: true } : {}),
          } satisfies z.input<typeof closeRequest>,
          accept: (code) => code === 200 || code === 202,
        },
        signal,
      );
      return { done: status === 200, left: readPositions(body, call) };
    } catch (error) {
      throw BotError.from(error, call);
    }
  }

  return {
    adapter: 'http',
    pace: PACE,
    ...(paths.health === '' ? {} : { health: (signal) => get(paths.health, readHealth, signal) }),
    ...(paths.models === '' ? {} : { models: (signal) => get(paths.models, readModels, signal) }),
    ...(paths.positions === '' ? {} : { positions: (signal) => get(paths.positions, readPositions, signal) }),
    close: (request, signal) => post(request, false, signal),
    rehearse: (request, signal) => post(request, true, signal),
    dispose: caller.dispose,
  };
}
