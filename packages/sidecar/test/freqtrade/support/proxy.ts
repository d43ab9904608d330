import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy in front of freqtrade, as people put there, and what it does to calls. */
export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** `METHOD /path` and the status that was answered, in order; 0 where the connection was cut. */
  readonly seen: readonly { readonly call: string; readonly status: number; readonly at: number }[];
}

/** What it does to one call: 429 with so many seconds of `Retry-After`, or cut the connection once it is passed on. */
export type Treatment = { readonly limit: number } | 'cut' | 'pass';

/** `treat` decides for each call, by its name and how often it was made before. */
export async function startProxy(
  target: string,
  treat: (call: string, earlier: number) => Treatment,
): Promise<Proxy> {
  const seen: { call: string; status: number; at: number }[] = [];
  const server = createServer((incoming, outgoing) => {
    const call = `${incoming.method} ${(incoming.url ?? '').replace(/^\/api\/v1/, '').replace(/\?.*/, '')}`;
    const treatment = treat(call, seen.filter((other) => other.call === call).length);
    const note = (status: number): void => void seen.push({ call, status, at: performance.now() });
    if (typeof treatment === 'object') {
      note(429);
      outgoing.writeHead(429, { 'retry-after': String(treatment.limit) }).end('{"detail":"too many"}');
      return;
    }
    const { method = 'GET', headers, url = '/' } = incoming;
    const passed = request(new URL(url, target), { method, headers }, (answer) => {
      if (treatment === 'cut') return;
      note(answer.statusCode ?? 0);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
    if (treatment !== 'cut') return;
    note(0);
    // It was sent whole, and goes on there.
    incoming.on('end', () => setTimeout(() => outgoing.destroy(), 300));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
