import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type Answer, type Seen, scriptedServer } from './scripted-server.ts';

/** What a lease tells. */
interface News {
  live: boolean;
  /** The boot that is meant; by default the one that asks. */
  boot?: string | null;
  because?: string;
  drained: { boot: string; drain_id: string; state: string } | null;
  hold: boolean;
}

/** A receipt as POST /drain answers. */
export const receipt = (state: string, boot: string | null, drainId = 'drain-of-the-sidecar') =>
  JSON.stringify({ state, boot, drain_id: drainId, proof: ['bot'], reason: 'as scripted' });

/** Answers a drain with a receipt for the boot that asked, after a condition if one is given. */
export const drained =
  (state: string, when: Promise<unknown> = Promise.resolve()): Answer =>
  async (response, { body }) => {
    await when;
    const { boot, drain_id: id } = JSON.parse(body);
    response.writeHead(state === 'flat' ? 200 : 503).end(receipt(state, boot, id));
  };

/**
 * A sidecar on a real socket that gives leases as the real one does, and drains as it is told. A scripted
 * `GET /livez` takes the place of its leases.
 */
export async function scriptedSidecar(
  script: Record<string, Answer | Answer[]> = {},
  onSeen: (seen: Seen) => void = () => {},
) {
  const news: News = { live: true, drained: null, hold: false };
  const told = new Map<string, string>();
  const events = new EventEmitter<{ news: [] }>().setMaxListeners(0);
  const boots: string[] = [];

  function lease(response: ServerResponse, { headers }: Seen): void {
    const asking = String(headers['botwarden-boot']);
    if (!boots.includes(asking)) boots.push(asking);
    const content = () => ({ ...news, boot: news.boot === undefined ? asking : news.boot });
    const wait = Number(/wait=(\d+)/.exec(String(headers.prefer ?? ''))?.[1] ?? 0);
    const isNews = () => {
      const before = told.get(asking);
      if (before !== undefined) return before !== JSON.stringify(content());
      return !news.live || news.drained !== null || news.hold;
    };
    const answer = () => {
      clearTimeout(timer);
      events.off('news', onNews);
      told.set(asking, JSON.stringify(content()));
      response.writeHead(news.live ? 200 : 503).end(JSON.stringify(content()));
    };
    const onNews = () => {
      if (isNews()) answer();
    };
    const timer = setTimeout(answer, wait * 1000);
    response.once('close', () => {
      clearTimeout(timer);
      events.off('news', onNews);
    });
    events.on('news', onNews);
    if (wait === 0) answer();
    else onNews();
  }

  const server = await scriptedServer(
    {
      'GET /livez': (response, seen) => lease(response, seen),
      'GET /drain': { status: 200, body: '{"state":"none"}' },
      ...script,
    },
    onSeen,
  );
  return {
    ...server,
    /** The boots that have asked for a lease, in order. */
    boots,
    boot: () => boots.at(-1) ?? '',
    /** Changes what leases tell; those that wait are answered at once. */
    tell(change: Partial<News>) {
      Object.assign(news, change);
      events.emit('news');
    },
    /** Tells that the boot which asks is drained. */
    tellDrained(state: string, boot = boots.at(-1) ?? '') {
      this.tell({ drained: { boot, drain_id: 'drain-before', state } });
    },
    drains: () => server.calls('POST /drain'),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}
