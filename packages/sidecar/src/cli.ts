import { checkBot } from './commands/check-bot.ts';
import { showConfig } from './commands/config.ts';
import { doctor } from './commands/doctor.ts';
import { helpText } from './commands/help.ts';
import { serve } from './commands/serve.ts';
import type { Host } from './host.ts';
import { VERSION } from './version.ts';

/** A command: takes the rest of the line, gives the exit code. */
export type Command = (args: readonly string[], host: Host) => Promise<number>;

const COMMANDS: Readonly<Record<string, Command>> = {
  serve,
  doctor,
  'check-bot': checkBot,
  config: showConfig,
};

/** Runs the command that the arguments name, `serve` when they name none. Gives the exit code. */
export async function run(host: Host): Promise<number> {
  const [name = 'serve', ...args] = host.argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    host.stdout.write(helpText());
    return 0;
  }
  if (name === '--version') {
    host.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    host.stderr.write(
      `botwarden: there is no command ${JSON.stringify(name)}; there are ${Object.keys(COMMANDS).join(', ')}. See botwarden --help.\n`,
    );
    return 2;
  }
  return command(args, host);
}
