import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

// A bot over real sockets that does as it is told, in a process of its own: `fork` this file and send it commands.
// One process holds any number of bots; what each of them saw and holds outlives its restarts.

/** How one call is answered. */
export type Answer =
  /** As the contract says; a close call closes everything. */
  | { readonly do: 'ok' }
  /** Closes so many, and says what is left. */
  | { readonly do: 'close-some'; readonly count: number }
  /** 202, and everything is closed so much later. */
  | { readonly do: 'accept'; readonly afterMs: number }
  /** Says that nothing is left, and does nothing. */
  | { readonly do: 'lie' }
  /** Closes everything, and then answers so. */
  | { readonly do: 'close-then'; readonly answer: Answer }
  | {
      readonly do: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly json?: unknown;
    }
  | { readonly do: 'retry-at'; readonly inMs: number }
  | { readonly do: 'body'; readonly text: string; readonly type?: string }
  | { readonly do: 'json'; readonly json: unknown; readonly status?: number }
  | { readonly do: 'slow'; readonly ms: number; readonly answer: Answer }
  | { readonly do: 'hang' }
  | { readonly do: 'headers-then-nothing' }
  | { readonly do: 'byte-a-second' }
  | { readonly do: 'reset' }
  | { readonly do: 'half-then-reset' }
  | { readonly do: 'not-http' }
  | { readonly do: 'huge' }
  /** Goes away in the middle of the call, and comes back as another boot; for good without `downMs`. */
  | { readonly do: 'go-away'; readonly downMs?: number; readonly closeFirst?: boolean };

/** A bot as it begins. Answers are taken in order, and the last one stays. */
export interface BotScript {
  readonly open?: number;
  readonly pending?: number;
  /** Positions as lists, with this as the symbol of each. */
  readonly lists?: string;
  /** Null: /health names neither boot nor trading. */
  readonly instance?: string | null;
  readonly dryRun?: boolean;
  /** A close call without it is a 401. */
  readonly token?: string;
  readonly close?: readonly Answer[];
  /** From the first close call on; before it they are answered as they should be. */
  readonly positions?: readonly Answer[];
  readonly health?: readonly Answer[];
  /** Nothing listens at first; `up` changes that. */
  readonly absent?: boolean;
  /** Where it listens, so that it can take the place of another. Default: a free port. */
  readonly port?: number;
  /** New positions that a bot which is not halted opens on the first read after a close call. */
  readonly opensAfterClose?: number;
  readonly paths?: { readonly positions?: string; readonly close?: string; readonly health?: string };
}

/** One call as the bot saw it. `at` is milliseconds since the epoch. */
export interface Seen {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly authorization: string | null;
  readonly body: Record<string, unknown> | null;
}

/** What a test may ask of the process. */
export type Command =
  | { readonly type: 'start'; readonly script: BotScript }
  | { readonly type: 'look'; readonly bot: number }
  /** Stops listening and drops every connection. */
  | { readonly type: 'down'; readonly bot: number }
  /** Listens again, as another boot. */
  | { readonly type: 'up'; readonly bot: number };

export interface BotState {
  readonly bot: number;
  readonly url: string;
  readonly open: number;
  readonly pending: number;
  readonly halted: boolean;
  readonly boot: number;
  /** Connections that are open now. */
  readonly connections: number;
  readonly seen: readonly Seen[];
}

class ScriptedBot {
  readonly id: number;
  readonly script: BotScript;
  open: number;
  pending: number;
  halted = false;
  boot = 1;
  seen: Seen[] = [];
  private server: Server | null = null;
  private port = 0;
  private readonly sockets = new Set<Socket>();
  private readonly close: Answer[];
  private readonly positions: Answer[];
  private readonly health: Answer[];
  private readonly paths: { positions: string; close: string; health: string };

  constructor(id: number, script: BotScript) {
    this.id = id;
    this.script = script;
    this.port = script.port ?? 0;
    this.open = script.open ?? 2;
    this.pending = script.pending ?? 1;
    this.close = [...(script.close ?? [])];
    this.positions = [...(script.positions ?? [])];
    this.health = [...(script.health ?? [])];
    this.paths = { positions: '/positions', close: '/close-positions', health: '/health', ...script.paths };
  }

  async up(): Promise<void> {
    if (this.server !== null) return;
    const server = createServer((request, response) => void this.take(request, response));
    server.keepAliveTimeout = 0;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  async down(): Promise<void> {
    const { server } = this;
    this.server = null;
    const closed = new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
    for (const socket of this.sockets) socket.resetAndDestroy();
    await closed;
  }

  async restart(): Promise<void> {
    this.boot += 1;
    this.halted = false;
    await this.up();
  }

  state(): BotState {
    const { id, open, pending, halted, boot, seen } = this;
    return {
      bot: id,
      url: `http://127.0.0.1:${this.port}`,
      open,
      pending,
      halted,
      boot,
      connections: this.sockets.size,
      seen,
    };
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = request.url ?? '';
    const asked: Seen = {
      at: Date.now(),
      method: request.method ?? '',
      path,
      key: (request.headers['idempotency-key'] as string | undefined) ?? null,
      authorization: request.headers.authorization ?? null,
      body: text === '' ? null : (JSON.parse(text) as Record<string, unknown>),
    };
    this.seen.push(asked);
    if (path === this.paths.close && request.method === 'POST') {
      const rehearsed = asked.body?.dry_run === true && this.script.dryRun === true;
      if (this.script.token !== undefined && asked.authorization !== `Bearer ${this.script.token}`) {
        json(response, 401, { error: `wrong token ${asked.authorization}` });
      } else if (rehearsed) json(response, 200, this.counts());
      else await this.answer(next(this.close), request, response, 'close');
    } else if (path === this.paths.positions) {
      const called = this.seen.some((call) => call.path === this.paths.close);
      if (called && !this.halted && this.script.opensAfterClose !== undefined) {
        this.open = Math.max(this.open, this.script.opensAfterClose);
      }
      await this.answer(called ? next(this.positions) : { do: 'ok' }, request, response, 'positions');
    } else if (path === this.paths.health) {
      await this.answer(next(this.health), request, response, 'health');
    } else json(response, 404, { error: 'no such path' });
  }

  private counts(): object {
    const list = (count: number) =>
      Array.from({ length: count }, (_, id) => ({ id, symbol: this.script.lists }));
    if (this.script.lists === undefined) return { open_positions: this.open, pending_orders: this.pending };
    return { open_positions: list(this.open), pending_orders: list(this.pending) };
  }

  private closeAll(): void {
    this.halted = true;
    this.open = 0;
    this.pending = 0;
  }

  private ok(response: ServerResponse, what: 'close' | 'positions' | 'health'): void {
    if (what === 'close') this.closeAll();
    if (what !== 'health') {
      json(response, 200, this.counts());
      return;
    }
    const { instance = `scripted-${this.id}`, dryRun } = this.script;
    json(response, 200, {
      status: 'ok',
      ...(instance === null
        ? {}
        : { instance: `${instance}-${this.boot}`, trading: this.halted ? 'halted' : 'running' }),
      ...(dryRun === undefined ? {} : { dry_run: dryRun }),
    });
  }

  private async answer(
    answer: Answer,
    request: IncomingMessage,
    response: ServerResponse,
    what: 'close' | 'positions' | 'health',
  ): Promise<void> {
    switch (answer.do) {
      case 'ok':
        this.ok(response, what);
        return;
      case 'close-some':
        this.halted = true;
        for (let n = answer.count; n > 0; n -= 1) {
          if (this.pending > 0) this.pending -= 1;
          else this.open = Math.max(0, this.open - 1);
        }
        json(response, 200, this.counts());
        return;
      case 'accept':
        this.halted = true;
        setTimeout(() => this.closeAll(), answer.afterMs);
        json(response, 202, this.counts());
        return;
      case 'lie':
        json(response, 200, { open_positions: 0, pending_orders: 0 });
        return;
      case 'close-then':
        this.closeAll();
        await this.answer(answer.answer, request, response, what);
        return;
      case 'status':
        json(response, answer.status, answer.json ?? { error: 'told to' }, answer.headers);
        return;
      case 'retry-at':
        json(
          response,
          429,
          { error: 'busy' },
          { 'retry-after': new Date(Date.now() + answer.inMs).toUTCString() },
        );
        return;
      case 'body':
        response.writeHead(200, { 'content-type': answer.type ?? 'application/json' }).end(answer.text);
        return;
      case 'json':
        json(response, answer.status ?? 200, answer.json);
        return;
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, answer.ms));
        await this.answer(answer.answer, request, response, what);
        return;
      case 'hang':
        return;
      case 'headers-then-nothing':
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-length': '40' })
          .flushHeaders();
        return;
      case 'byte-a-second': {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write(' '), 1_000);
        request.socket.on('close', () => clearInterval(timer));
        response.write('{');
        return;
      }
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'half-then-reset':
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '40' });
        response.write('{"open_positions":', () => request.socket.resetAndDestroy());
        return;
      case 'not-http':
        request.socket.end('220 mail.example ESMTP\r\n');
        return;
      case 'huge':
        huge(response);
        return;
      case 'go-away': {
        if (answer.closeFirst === true) this.closeAll();
        await this.down();
        if (answer.downMs !== undefined) setTimeout(() => void this.restart(), answer.downMs);
        return;
      }
    }
  }
}

const next = (answers: Answer[]): Answer =>
  (answers.length > 1 ? answers.shift() : answers[0]) ?? { do: 'ok' };

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** 100 MB, as fast as they are taken. */
function huge(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  let left = 100 * 1024 * 1024;
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(left) });
  const push = (): void => {
    while (left > 0) {
      left -= chunk.length;
      if (!response.write(chunk)) {
        response.once('drain', push);
        return;
      }
    }
    response.end();
  };
  response.on('error', () => undefined);
  push();
}

const bots: ScriptedBot[] = [];

async function obey(command: Command): Promise<BotState> {
  if (command.type === 'start') {
    const bot = new ScriptedBot(bots.length, command.script);
    bots.push(bot);
    await bot.up();
    if (command.script.absent === true) await bot.down();
    return bot.state();
  }
  const bot = bots[command.bot];
  if (bot === undefined) throw new Error(`there is no bot ${command.bot}`);
  if (command.type === 'down') await bot.down();
  if (command.type === 'up') await bot.restart();
  return bot.state();
}

process.on('message', ({ id, command }: { id: number; command: Command }) => {
  void obey(command).then(
    (state) => process.send?.({ id, state }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
