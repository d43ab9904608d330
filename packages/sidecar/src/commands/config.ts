import { ConfigError } from '@botwarden/service/configuration';
import { withoutCredentials } from '@botwarden/service/url';
import type { Variable } from '@botwarden/service/variables';
import { type Config, type Effective, loadConfig, RESERVE_MS } from '../config/config.ts';
import { loadProbesFile } from '../config/probes-file.ts';
import { VARIABLES } from '../config/variables.ts';
import type { Host } from '../host.ts';

/** `botwarden config`: the effective configuration with secrets masked, and what the budget of a drain comes to. */
export async function showConfig(args: readonly string[], host: Host): Promise<number> {
  if (args.length > 0) {
    host.stderr.write('botwarden config takes no arguments; it reads the environment.\n');
    return 2;
  }
  try {
    const { config, effective } = loadConfig(host.env);
    if (config.probes.file !== undefined) await loadProbesFile(config.probes.file, host.env);
    host.stdout.write(`${listing(effective)}\n\n${budget(config)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`botwarden: ${error.message}\n`);
    return 2;
  }
}

function listing(effective: Effective): string {
  const width = Math.max(...VARIABLES.map(({ name }) => name.length));
  return VARIABLES.map((variable: Variable) => {
    const value = effective[variable.name as keyof Effective];
    const shown =
      value === undefined
        ? '(not set)'
        : variable.secret === true
          ? '***'
          : variable.name.endsWith('_URL')
            ? withoutCredentials(value)
            : value;
    return `${variable.name.padEnd(width)}  ${shown === '' ? '(off)' : shown}`;
  }).join('\n');
}

function budget({ drain }: Config): string {
  const seconds = (ms: number): string => `${ms / 1000}s`;
  const closing = drain.timeoutMs - RESERVE_MS;
  const { stopGracePeriodMs: grace } = drain;
  return [
    `A drain has ${seconds(drain.timeoutMs)} from the signal to the exit: ${seconds(closing)} to close and prove flat,`,
    `with attempts of at most ${seconds(drain.closeTimeoutMs)}, then ${seconds(RESERVE_MS)} for the emergency call, the alert and the receipt.`,
    grace === undefined
      ? `STOP_GRACE_PERIOD is not set: nothing checks that the orchestrator waits at least ${seconds(drain.timeoutMs + 5000)}.`
      : `The orchestrator waits ${seconds(grace)}, which is ${seconds(grace - drain.timeoutMs)} more.`,
  ].join('\n');
}
