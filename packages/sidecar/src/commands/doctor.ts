import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { diagnose, RULES } from '../doctor/diagnose.ts';
import { readManifests } from '../doctor/manifests.ts';
import { ComposeModelError, readComposeModel } from '../doctor/model.ts';
import { report, reportJson } from '../doctor/report.ts';
import { type Named, NoSuchServiceError } from '../doctor/roles.ts';
import type { Host } from '../host.ts';

const USAGE = `Names what is wrong in a Compose stack, or in manifests of Kubernetes, for guarding a bot, and which commands would leave positions open.

  docker compose config --format json | botwarden doctor [--json] [--bot SERVICE] [--sidecar SERVICE]
  kubectl kustomize FOLDER | botwarden doctor [--json] [--bot WORKLOAD/CONTAINER] [--sidecar WORKLOAD/CONTAINER]

  --json             for a program, in place of a person
  --bot SERVICE      the bot, where BOT_URL of the sidecar does not lead to it
  --sidecar SERVICE  the sidecar, where it is not the one with a BOT_URL

Exit codes: 0 no error was found, 1 some were, 2 the input could not be read, or the usage was wrong.
`;

/** `botwarden doctor`: reads a Compose model from standard input, and names what is wrong in it. */
export async function doctor(args: readonly string[], host: Host): Promise<number> {
  const refuse = (message: string): number => {
    host.stderr.write(`botwarden doctor: ${message}.\n`);
    return 2;
  };
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    return refuse(`${(error as Error).message.replace(/\.$/, '')}. See botwarden doctor --help`);
  }
  if (options.help) {
    host.stdout.write(`${USAGE}\n${rules()}\n`);
    return 0;
  }
  if (host.stdin.isTTY === true) {
    host.stderr.write(USAGE);
    return 2;
  }
  // Signals are held for a drain from the start of the program; here there is nothing to drain.
  host.onSignal('SIGINT', () => host.exit(130));
  host.onSignal('SIGTERM', () => host.exit(143));
  try {
    const input = await text(host.stdin);
    const model = readManifests(input) ?? readComposeModel(input);
    const findings = diagnose(model, options.named);
    host.stdout.write(`${options.json ? reportJson(findings) : report(findings, model.platform)}\n`);
    return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
  } catch (error) {
    if (error instanceof ComposeModelError || error instanceof NoSuchServiceError)
      return refuse(error.message);
    throw error;
  }
}

function readOptions(args: readonly string[]): { json: boolean; help: boolean; named: Named } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      bot: { type: 'string' },
      sidecar: { type: 'string' },
    },
  });
  const { json, help, bot, sidecar } = values;
  return {
    json,
    help,
    named: { ...(bot === undefined ? {} : { bot }), ...(sidecar === undefined ? {} : { sidecar }) },
  };
}

function rules(): string {
  const width = Math.max(...RULES.map(({ code }) => code.length));
  return ['What it looks for:', ...RULES.map(({ code, about }) => `  ${code.padEnd(width)}  ${about}`)].join(
    '\n',
  );
}
