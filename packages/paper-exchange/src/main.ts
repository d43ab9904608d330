#!/usr/bin/env node
import { startPaperExchange } from './paper-exchange.ts';
import { createWalk } from './walk.ts';

// PORT (9700), HOST (127.0.0.1), SEED (7), and TICK_MS (1000; 0: prices stand still until they are set).
const number = (name: string, fallback: number): number => Number(process.env[name] || fallback);

const exchange = await startPaperExchange({
  host: process.env.HOST || '127.0.0.1',
  port: number('PORT', 9_700),
});
const walk = createWalk(number('SEED', 7));
const tickMs = Number(process.env.TICK_MS ?? 1_000);
const timer =
  tickMs > 0
    ? setInterval(() => {
        for (const [name, price] of walk.step()) exchange.setPrice(name, price);
      }, tickMs)
    : undefined;
process.stdout.write(`${JSON.stringify({ event: 'listening', url: exchange.url })}\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    clearInterval(timer);
    void exchange.close().then(() => process.exit(0));
  });
}
