import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A bot over real sockets in the process of the test, that is as ill as it is told. */
export interface IllBot {
  readonly url: string;
  /** Changes what it answers from now on. */
  readonly be: (how: Partial<Condition>) => void;
  /** How often it was asked to close. */
  readonly closes: () => number;
  /** Stops listening, as a container that was stopped; `up` listens again. */
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
}

/** How the bot is. */
export interface Condition {
  readonly instance: string;
  /** What each read answers; `hang` answers nothing. */
  readonly answer: 'ok' | 'ill' | 'hang' | number;
  /** How old its last tick is, in milliseconds, or when it was. */
  readonly tick: { readonly ageMs: number } | { readonly at: number };
  readonly halted: boolean;
}

/** Starts one that is well. */
export async function startIllBot(): Promise<IllBot> {
  let how: Condition = { instance: 'boot-1', answer: 'ok', tick: { ageMs: 0 }, halted: false };
  let closes = 0;
  let port = 0;
  let server: Server | undefined;

  function answer(path: string, response: ServerResponse): void {
    const json = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (how.answer === 'hang') return;
    const at = 'at' in how.tick ? how.tick.at : Date.now() - how.tick.ageMs;
    if (typeof how.answer === 'number') json(how.answer, { error: 'told to' });
    else if (path === '/models') json(200, { models: [{ name: 'signal', loaded: true }] });
    else if (path === '/positions') json(200, { open_positions: how.halted ? 0 : 1, pending_orders: 0 });
    else
      json(200, {
        status: how.answer,
        instance: how.instance,
        trading: how.halted ? 'halted' : 'running',
        last_tick_at: new Date(at).toISOString(),
      });
  }

  async function up(): Promise<void> {
    const listening = createServer((request, response) => {
      request.resume();
      if (request.method !== 'POST') return answer(request.url ?? '', response);
      closes += 1;
      if (how.answer === 'hang') return;
      how = { ...how, halted: true };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"open_positions":0,"pending_orders":0}');
    });
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject);
      listening.listen(port, '127.0.0.1', resolve);
    });
    port = (listening.address() as AddressInfo).port;
    server = listening;
  }

  await up();
  return {
    url: `http://127.0.0.1:${port}`,
    be(more) {
      how = { ...how, ...more };
    },
    closes: () => closes,
    async down() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
      server = undefined;
    },
    up,
  };
}
