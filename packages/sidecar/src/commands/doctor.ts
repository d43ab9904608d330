import { text } from 'node:stream/consumers';
import { diagnose } from '../doctor/diagnose.ts';
import { ComposeModelError, readComposeModel } from '../doctor/model.ts';
import { report } from '../doctor/report.ts';
import type { Host } from '../host.ts';

const USAGE = `Names what is wrong in a Compose stack for guarding a bot.

  docker compose config --format json | botwarden doctor [--json]

Exit codes: 0 no error was found, 1 some were, 2 the input could not be read.
`;

/** `botwarden doctor`: reads a Compose model from standard input, and names what is wrong in it. */
export async function doctor(args: readonly string[], host: Host): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    host.stdout.write(USAGE);
    return 0;
  }
  const json = args.includes('--json');
  if (args.some((arg) => arg !== '--json') || host.stdin.isTTY === true) {
    host.stderr.write(USAGE);
    return 2;
  }
  try {
    const findings = diagnose(readComposeModel(await text(host.stdin)));
    host.stdout.write(`${json ? JSON.stringify({ findings }, null, 2) : report(findings)}\n`);
    return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
  } catch (error) {
    if (!(error instanceof ComposeModelError)) throw error;
    host.stderr.write(`botwarden doctor: ${error.message}.\n`);
    return 2;
  }
}
