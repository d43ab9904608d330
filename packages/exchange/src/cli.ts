import { helpText } from './commands/help.ts';
import { serve } from './commands/serve.ts';
import type { Host } from './host.ts';
import { VERSION } from './version.ts';

/** Runs what the arguments ask for; without any, serves. Gives the exit code. */
export async function run(host: Host): Promise<number> {
  const [name, ...rest] = host.argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    host.stdout.write(helpText());
    return 0;
  }
  if (name === '--version') {
    host.stdout.write(`${VERSION}\n`);
    return 0;
  }
  if ((name !== undefined && name !== 'serve') || rest.length > 0) {
    host.stderr.write(
      `botwarden-exchange: expected no arguments, got ${JSON.stringify(host.argv.join(' '))}; it reads the environment. See botwarden-exchange --help.\n`,
    );
    return 2;
  }
  return serve(host);
}
