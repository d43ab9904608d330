import { type ClientRequest, request } from 'node:http';
import { until } from './processes.ts';

/** What the sidecar told a gate. */
export interface Told {
  readonly status: number;
  readonly at: number;
  readonly body: {
    readonly live: boolean;
    readonly boot: string | null;
    readonly drained: { readonly boot: string; readonly drain_id: string; readonly state: string } | null;
    readonly hold: boolean;
  };
}

/** The side of a gate that asks the sidecar, over real sockets. */
export interface Gate {
  readonly boot: string;
  /** Every answer so far, oldest first. */
  readonly told: readonly Told[];
  /** Resolves with the first answer that fits, also one that came already. */
  readonly hears: (what: string, fits: (told: Told) => boolean) => Promise<Told>;
  /** Its container ends: the connection is gone. */
  readonly end: () => void;
}

/** One ask of the lease. Resolves with the answer; rejects when the connection ends first. */
export function askLease(
  url: string,
  headers: Record<string, string>,
  onRequest: (call: ClientRequest) => void = () => undefined,
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}/livez`, { headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, at: Date.now(), body: JSON.parse(text) as Told['body'] }),
      );
      response.on('error', reject);
    });
    call.on('error', reject);
    onRequest(call);
    call.end();
  });
}

/** Holds the lease for `boot` until `end`; resolves when the first ask was answered. */
export async function holdLease(url: string, token: string, boot: string): Promise<Gate> {
  const told: Told[] = [];
  let over = false;
  let open: ClientRequest | undefined;
  const headers = { 'botwarden-boot': boot, authorization: `Bearer ${token}` };
  const first = await askLease(url, headers);
  told.push(first);
  void (async () => {
    while (!over) {
      await askLease(url, { ...headers, prefer: 'wait=20' }, (call) => {
        open = call;
      }).then(
        (answer) => void told.push(answer),
        () => new Promise((resolve) => setTimeout(resolve, 50)),
      );
    }
  })();
  return {
    boot,
    told,
    hears: (what, fits) => until(`gate ${boot} hears: ${what}`, () => told.find(fits)),
    end() {
      over = true;
      open?.destroy();
    },
  };
}
