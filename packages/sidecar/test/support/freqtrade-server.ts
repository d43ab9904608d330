import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Who may ask. */
export const USERNAME = 'freqtrader';
export const PASSWORD = 'SuperSecret1!';

/** What a test may set while it runs. */
export interface FreqtradeState {
  state: 'running' | 'paused' | 'stopped';
  /** Versions before `/pause` go on `running` and set this to 0. */
  old: boolean;
  maxOpenTrades: number;
  trades: { trade_id: number; pair: string; orders: { is_open: boolean }[] }[];
  /** How many trades each force exit closes; the rest fail in silence. */
  exitsPerCall: number;
  /** How long an exit order takes to fill, in milliseconds. */
  fillMs: number;
  /** `/status` answers `[]`, as it does after any RPC error. */
  statusFails: boolean;
  /** Paths that are never answered. */
  hangs: readonly string[];
  /** Calls a minute that are allowed; more are 429. */
  limits: Record<string, number>;
  lastProcess: number;
  startup: number | null;
}

/** A server with the calls, the answers and the oddities of freqtrade's REST API, without the trading. */
export interface FreqtradeServer {
  readonly url: string;
  readonly now: FreqtradeState;
  /** `METHOD /path`, in order. */
  readonly seen: readonly { readonly call: string; readonly at: number; readonly status: number }[];
  readonly close: () => Promise<void>;
}

export async function startFreqtrade(given: Partial<FreqtradeState> = {}): Promise<FreqtradeServer> {
  const now: FreqtradeState = {
    state: 'running',
    old: false,
    maxOpenTrades: 3,
    trades: [1, 2].map((trade_id) => ({ trade_id, pair: 'BTC/USDT', orders: [{ is_open: trade_id === 2 }] })),
    exitsPerCall: Number.POSITIVE_INFINITY,
    fillMs: 0,
    statusFails: false,
    hangs: [],
    limits: { '/forceexit': 5, '/stopentry': 5, '/count': 5, '/status': 20 },
    lastProcess: Math.floor(Date.now() / 1000),
    startup: 1_769_860_800,
    ...given,
  };
  const seen: { call: string; at: number; status: number }[] = [];
  const basic = `Basic ${Buffer.from(`${USERNAME}:${PASSWORD}`).toString('base64')}`;

  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const path = (request.url ?? '').replace(/^\/api\/v1/, '');
      const call = `${request.method} ${path}`;
      const send = (status: number, body: unknown): void => {
        seen.push({ call, at: Date.now(), status });
        json(response, status, body);
      };
      if (call === 'GET /ping') return send(200, { status: 'pong' });
      if (request.headers.authorization !== basic) {
        // A token of /token/login ends after 15 minutes, and looks like this from then on.
        const bearer = request.headers.authorization?.startsWith('Bearer ') === true;
        return send(401, { detail: bearer ? 'Could not validate credentials' : 'Unauthorized' });
      }
      if (now.hangs.includes(path)) return void seen.push({ call, at: Date.now(), status: 0 });
      const limit = now.limits[path];
      const lately = seen.filter(
        (other) => other.call === call && other.status !== 429 && other.at > Date.now() - 60_000,
      );
      if (limit !== undefined && lately.length >= limit) return send(429, { detail: 'Rate limit exceeded.' });
      switch (call) {
        case 'GET /health':
          return send(200, {
            last_process: new Date(now.lastProcess * 1000).toISOString(),
            last_process_ts: now.lastProcess,
            ...(now.startup === null ? {} : { bot_startup_ts: now.startup }),
          });
        case 'GET /show_config':
          return send(200, { state: now.state, max_open_trades: now.maxOpenTrades, dry_run: true });
        case 'GET /status':
          return send(200, now.statusFails ? [] : now.trades);
        case 'GET /count':
          if (now.state === 'stopped') return send(502, rpcError(path, 'trader is not running'));
          return send(200, { current: now.trades.length, max: now.maxOpenTrades, total_stake: 0 });
        case 'POST /stopentry':
        case 'POST /stopbuy':
          if (now.old) now.maxOpenTrades = 0;
          else now.state = 'paused';
          return send(200, {
            status: 'paused, no more entries will occur from now. Run /start to enable entries.',
          });
        case 'POST /forceexit': {
          if (now.state === 'stopped') return send(502, rpcError(path, 'trader is not running'));
          if ((JSON.parse(text) as { tradeid: unknown }).tradeid !== 'all') return send(422, { detail: [] });
          const exits = now.trades.slice(0, now.exitsPerCall).map(({ trade_id }) => trade_id);
          setTimeout(() => {
            now.trades = now.trades.filter(({ trade_id }) => !exits.includes(trade_id));
          }, now.fillMs);
          return send(200, { result: 'Created exit orders for all open trades.' });
        }
        default:
          return send(404, { detail: 'Not Found' });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    now,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const rpcError = (path: string, message: string): object => ({
  error: `Error querying /api/v1${path}: ${message}`,
});

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
