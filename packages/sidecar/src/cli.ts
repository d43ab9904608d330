import { constants } from 'node:os';
import type { Host } from './host.ts';
import { VERSION } from './version.ts';

/** A command: takes the rest of the line, gives the exit code. */
export type Command = (args: readonly string[], host: Host) => Promise<number>;

/** Each is loaded when it is asked for: a sidecar that starts should not wait for the doctor. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serve,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  'check-bot': async () => (await import('./commands/check-bot.ts')).checkBot,
  config: async () => (await import('./commands/config.ts')).showConfig,
};

/** Runs the command that the arguments name, `serve` when they name none. Gives the exit code. */
export async function run(host: Host): Promise<number> {
  const [name = 'serve', ...args] = host.argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    host.stdout.write((await import('./commands/help.ts')).helpText());
    return 0;
  }
  if (name === '--version') {
    host.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    host.stderr.write(
      `botwarden: there is no command ${JSON.stringify(name)}; there are ${Object.keys(COMMANDS).join(', ')}. See botwarden --help.\n`,
    );
    return 2;
  }
  // Only a sidecar has something to do before it may end; the others go at once.
  if (name !== 'serve') {
    const [early] = host.takeSignals();
    if (early !== undefined) return 128 + constants.signals[early.signal];
  }
  const command = await load();
  return command(args, host);
}
