import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BotScript, BotState, Command, Seen } from './scripted-bot.ts';

const PROGRAM = fileURLToPath(new URL('./scripted-bot.ts', import.meta.url));

/** A scripted bot in the other process. */
export interface RemoteBot {
  readonly url: string;
  readonly look: () => Promise<BotState>;
  /** The close calls it saw, rehearsals left out. */
  readonly closeCalls: () => Promise<readonly Seen[]>;
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
}

/** The process that holds the scripted bots. */
export interface BotProcess {
  readonly start: (script: BotScript) => Promise<RemoteBot>;
  readonly end: () => Promise<void>;
}

/** Starts a process for scripted bots. */
export function startBotProcess(): BotProcess {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const waiting = new Map<number, { resolve: (state: BotState) => void; reject: (error: Error) => void }>();
  let count = 0;
  child.on('message', (message: { id: number; state?: BotState; error?: string }) => {
    const { resolve, reject } = waiting.get(message.id) ?? {};
    waiting.delete(message.id);
    if (message.state !== undefined) resolve?.(message.state);
    else reject?.(new Error(message.error));
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the process of the scripted bots ended'));
  });
  const ask = (command: Command): Promise<BotState> =>
    new Promise((resolve, reject) => {
      count += 1;
      waiting.set(count, { resolve, reject });
      child.send({ id: count, command });
    });

  return {
    async start(script) {
      const { bot, url } = await ask({ type: 'start', script });
      const look = () => ask({ type: 'look', bot });
      const closePath = script.paths?.close ?? '/close-positions';
      return {
        url,
        look,
        closeCalls: async () =>
          (await look()).seen.filter(
            (call) => call.method === 'POST' && call.path === closePath && call.body?.dry_run !== true,
          ),
        down: async () => void (await ask({ type: 'down', bot })),
        up: async () => void (await ask({ type: 'up', bot })),
      };
    },
    async end() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await exited;
    },
  };
}
