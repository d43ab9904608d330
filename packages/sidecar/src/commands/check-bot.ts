import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { ConfigError } from '@botwarden/service/configuration';
import { withoutCredentials } from '@botwarden/service/url';
import type { Bot } from '../bot/bot.ts';
import { checkConformance } from '../bot/conformance.ts';
import type { Finding } from '../bot/finding.ts';
import { checkFreqtrade } from '../bot/freqtrade/conformance.ts';
import { type Config, loadConfig } from '../config/config.ts';
import { createDrainer } from '../drain/drain.ts';
import { type Receipt, receiptsInMemory } from '../drain/receipts.ts';
import type { EventLog } from '../event-log.ts';
import { PATIENCE_MS } from '../heal/cadence.ts';
import type { Host } from '../host.ts';
import { createLeases } from '../lease/leases.ts';
import { createBot } from './create-bot.ts';

const USAGE = `Asks a bot everything that a guard will ask it, and says what it meets and what to change. Nothing is traded.

  botwarden check-bot URL [--json] [--drill [--yes]]

  --json    findings as JSON
  --drill   then really drains the bot: it closes every position and stays halted; asks first
  --yes     does not ask

Token, paths and expected models come from the environment, as for serve (BOT_TOKEN, BOT_CLOSE_PATH, …). With
BOT_ADAPTER=freqtrade, BOT_USERNAME and BOT_PASSWORD it is asked by freqtrade's own calls.
Exit codes: 0 the bot meets the contract, 1 it does not, 2 the command line or the environment is wrong.
`;

/** `botwarden check-bot URL`: the contract of a bot, call by call. Gives the exit code. */
export async function checkBot(args: readonly string[], host: Host): Promise<number> {
  const asked = readArguments(args);
  if (asked === null) {
    host.stderr.write(USAGE);
    return 2;
  }
  if (asked.help) {
    host.stdout.write(USAGE);
    return 0;
  }
  let config: Config;
  try {
    config = loadConfig({ ...host.env, BOT_URL: asked.url }).config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`botwarden check-bot: ${error.message}\n`);
    return 2;
  }
  const bot = createBot(config.bot);
  try {
    const findings = [...(await lookAt(bot, config))];
    if (!asked.json) host.stdout.write(`${table(config.bot.url, findings)}\n`);
    let receipt: Receipt | null = null;
    if (asked.drill) {
      if (!asked.yes && !(await agreed(host, config.bot.url))) {
        host.stderr.write('Not drained: the answer was not yes.\n');
        return 2;
      }
      receipt = await drill(bot, config, host);
      const drilled = drillFinding(receipt);
      findings.push(drilled);
      if (!asked.json) host.stdout.write(`${JSON.stringify(receipt)}\n\n${row(drilled)}\n`);
    }
    const meets = findings.every(({ outcome }) => outcome !== 'fails');
    if (asked.json) {
      const url = withoutCredentials(config.bot.url);
      host.stdout.write(`${JSON.stringify({ url, meets, findings, receipt }, null, 2)}\n`);
    } else {
      host.stdout.write(
        meets ? '\nThe bot meets the contract.\n' : '\nThe bot does not meet the contract.\n',
      );
    }
    return meets ? 0 : 1;
  } finally {
    await bot.dispose();
  }
}

async function lookAt(bot: Bot, { bot: target, probes, drain }: Config): Promise<readonly Finding[]> {
  const { token, ...withoutToken } = target;
  const { timeoutMs } = probes;
  // What has not been watched yet has shown no cadence.
  const tickMaxAgeMs = probes.tickMaxAgeMs === 'auto' ? PATIENCE_MS : probes.tickMaxAgeMs;
  if (target.adapter === 'freqtrade') {
    const { url, username = '', password = '' } = target;
    return checkFreqtrade({
      url,
      username,
      password,
      timeoutMs,
      tickMaxAgeMs,
      drainTimeoutMs: drain.timeoutMs,
    });
  }
  const anonymous = token === undefined ? undefined : createBot(withoutToken);
  const { paths, expectedModels } = target;
  try {
    return await checkConformance({ bot, anonymous, paths, expectedModels, tickMaxAgeMs, timeoutMs });
  } finally {
    await anonymous?.dispose();
  }
}

interface Asked {
  readonly url: string;
  readonly json: boolean;
  readonly drill: boolean;
  readonly yes: boolean;
  readonly help: boolean;
}

function readArguments(args: readonly string[]): Asked | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        drill: { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const [url, ...rest] = positionals;
    if (values.help) return { url: '', ...values };
    if (url === undefined || rest.length > 0 || (values.yes && !values.drill)) return null;
    return { url, ...values };
  } catch {
    return null;
  }
}

async function agreed(host: Host, url: string): Promise<boolean> {
  const lines = createInterface({ input: host.stdin, output: host.stderr });
  try {
    // Without an answer the input ends, and so does the question.
    const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const question = `\nThis closes every position of the bot at ${withoutCredentials(url)} and leaves it halted. Type yes to go on: `;
    return (await Promise.race([lines.question(question), closed])).trim() === 'yes';
  } finally {
    lines.close();
  }
}

/** A real drain, told step by step on standard error. */
async function drill(bot: Bot, config: Config, host: Host): Promise<Receipt> {
  const instance = (await bot.health?.(AbortSignal.timeout(config.probes.timeoutMs)).catch(() => null))
    ?.instance;
  const say: EventLog['info'] = (_, sentence) => void host.stderr.write(`${sentence}\n`);
  const drainer = createDrainer({
    leases: createLeases(),
    bot,
    receipts: receiptsInMemory(),
    log: { info: say, warn: say, error: say },
    drainTimeoutMs: config.drain.timeoutMs,
    closeTimeoutMs: config.drain.closeTimeoutMs,
    currentInstance: () => instance ?? null,
  });
  return drainer.drain('http', { reason: 'botwarden check-bot --drill' });
}

function drillFinding(receipt: Receipt): Finding {
  const flat = receipt.state === 'flat';
  return {
    call: 'a real drain',
    expected: 'leaves nothing open and the bot halted',
    outcome: flat ? 'meets' : 'fails',
    advice: flat ? '' : receipt.reason,
  };
}

const MARKS: Readonly<Record<Finding['outcome'], string>> = {
  meets: 'ok  ',
  warns: 'warn',
  fails: 'FAIL',
  skipped: 'skip',
};

function table(url: string, findings: readonly Finding[]): string {
  const lines = [`The bot at ${withoutCredentials(url)}`];
  let call = '';
  for (const finding of findings) {
    if (finding.call !== call) lines.push('', finding.call);
    call = finding.call;
    lines.push(row(finding));
  }
  return lines.join('\n');
}

function row({ outcome, expected, advice }: Finding): string {
  return `  ${MARKS[outcome]}  ${expected}${advice === '' ? '' : `\n        ${advice}`}`;
}
