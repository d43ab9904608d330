import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One alert, as it came in. */
export interface TakenAlert {
  readonly text: string;
  readonly botwarden: Readonly<Record<string, unknown>> & { readonly event: string };
}

/** A place that takes alerts. */
export interface Webhook {
  readonly url: string;
  readonly taken: readonly TakenAlert[];
  /** Those with this event. */
  readonly of: (event: string) => readonly TakenAlert[];
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
}

/** Starts one. */
export async function startWebhook(): Promise<Webhook> {
  const taken: TakenAlert[] = [];
  let server: Server | undefined;
  let port = 0;
  async function up(): Promise<void> {
    const listening = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        taken.push(JSON.parse(text) as TakenAlert);
        response.writeHead(204).end();
      });
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
    url: `http://127.0.0.1:${port}/hook`,
    taken,
    of: (event) => taken.filter(({ botwarden }) => botwarden.event === event),
    async down() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
      server = undefined;
    },
    up,
  };
}
