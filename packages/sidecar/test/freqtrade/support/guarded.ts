import { existsSync, readFileSync } from 'node:fs';
import type { Receipt } from '../../../src/drain/receipts.ts';
import { type Running, startSidecar, until } from '../../support/processes.ts';
import { type Freqtrade, PASSWORD, type Settings, startFreqtrade, USERNAME } from './program.ts';

/** A real freqtrade, and a real sidecar beside it. */
export interface Guarded extends AsyncDisposable {
  readonly freqtrade: Freqtrade;
  readonly sidecar: Running;
  /** Sends SIGTERM to the sidecar and waits for its end. */
  readonly stop: () => Promise<Ended>;
  readonly until: typeof until;
}

export interface Ended {
  readonly code: number | null;
  readonly receipt: Receipt;
  /** All that the sidecar said. */
  readonly output: string;
}

/** A token for `POST /drain`. */
export const DRAIN_TOKEN = 'a-token-of-the-tests-to-drain';

/** Starts freqtrade, waits until it answers, and starts the sidecar. */
export async function guard(settings: Settings = {}, env: Record<string, string> = {}): Promise<Guarded> {
  const freqtrade = await startFreqtrade(settings);
  await freqtrade.answers();
  const sidecar = await startSidecar({
    BOT_ADAPTER: 'freqtrade',
    BOT_URL: freqtrade.url,
    BOT_USERNAME: USERNAME,
    BOT_PASSWORD: PASSWORD,
    DRAIN_TOKEN,
    PROBE_INTERVAL: '500ms',
    ...env,
  });
  const receipts: Receipt[] = [];
  const collect = (): void => {
    if (!existsSync(sidecar.receipts)) return;
    const lines = readFileSync(sidecar.receipts, 'utf8').trim().split('\n').filter(Boolean);
    receipts.splice(0, receipts.length, ...lines.map((line) => JSON.parse(line) as Receipt));
  };
  return {
    freqtrade,
    sidecar,
    until,
    async stop() {
      sidecar.child.kill('SIGTERM');
      const watching = setInterval(collect, 20);
      const code = await sidecar.exited;
      clearInterval(watching);
      const ended = sidecar
        .output()
        .split('\n')
        .filter((line) => line.includes('"drain.ended"'))
        .map((line) => JSON.parse(line) as Receipt);
      return { code, receipt: ended.at(-1) as Receipt, output: sidecar.output() };
    },
    async [Symbol.asyncDispose]() {
      await sidecar.end();
      await freqtrade.end();
    },
  };
}
