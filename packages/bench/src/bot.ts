// The bot that every contender watches. As a program of its own it tells its parent where it listens.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A bot in this process. */
export interface Bot {
  readonly url: string;
  /** How often each path was asked for since the start. */
  readonly calls: Readonly<Record<string, number>>;
  /** From now on it takes requests and answers none of them. */
  readonly hang: () => void;
  readonly recover: () => void;
  readonly close: () => void;
}

/** Options of {@link listen}. */
export interface BotOptions {
  /** How long it takes to close its one position, in milliseconds. Default 0. */
  readonly closingMs?: number;
  /** Called when the head of the close call has come. */
  readonly onClose?: () => void;
}

/** Starts a bot with one open position on a free port of the loopback. */
export async function listen({ closingMs = 0, onClose }: BotOptions = {}): Promise<Bot> {
  let open = 1;
  let hangs = false;
  const calls: Record<string, number> = {};
  const server = createServer((request, response) => {
    const path = `${request.method} ${request.url}`;
    calls[path] = (calls[path] ?? 0) + 1;
    if (hangs) return;
    const answer = (body: unknown): void => {
      const text = JSON.stringify(body);
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
        .end(text);
    };
    switch (request.url) {
      case '/health':
        return answer({
          status: 'ok',
          instance: 'bench',
          trading: open === 1 ? 'running' : 'halted',
          database: 'connected',
          last_tick_at: new Date().toISOString(),
        });
      case '/models':
        return answer({ models: [{ name: 'price', loaded: true, version: '1' }] });
      case '/positions':
        return answer({ open_positions: open, pending_orders: 0 });
      case '/close-positions':
        onClose?.();
        setTimeout(() => {
          open = 0;
          answer({ open_positions: 0, pending_orders: 0 });
        }, closingMs);
        return;
      default:
        response.writeHead(404).end();
    }
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    hang: () => {
      hangs = true;
    },
    recover: () => {
      hangs = false;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A bot in a process of its own, as it must be where contenders ask it at each request. */
export interface BotProcess {
  readonly url: string;
  /** How often each path was asked for since the start. */
  readonly calls: () => Promise<Readonly<Record<string, number>>>;
  readonly end: () => void;
}

/** Starts a bot in a process of its own. */
export async function startBotProcess(): Promise<BotProcess> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url));
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    url,
    async calls() {
      child.send('calls');
      const [calls] = (await once(child, 'message')) as [Record<string, number>];
      return calls;
    },
    end: () => void child.kill('SIGKILL'),
  };
}

if (import.meta.main) {
  const bot = await listen();
  process.send?.({ url: bot.url });
  process.on('message', () => process.send?.(bot.calls));
  process.on('disconnect', () => process.exit());
}
