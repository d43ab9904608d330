import { type ComposeModel, graceMs, type Service, spanMs, variable } from './model.ts';

/** A bot and the sidecar that watches it. */
export interface Pair {
  readonly sidecar: Service;
  readonly bot: Service;
  /** Whether the bot runs under `hold-until-flat`, as far as the stack shows. */
  readonly gated: boolean;
  readonly drainTimeoutMs: number;
  readonly gateTimeoutMs: number;
  readonly killAfterMs: number;
}

/** A stack, and who is who in it. */
export interface Stack {
  readonly services: readonly Service[];
  readonly pairs: readonly Pair[];
  /** Sidecars whose BOT_URL names no service of the stack. */
  readonly strays: readonly Service[];
}

const GATE = 'hold-until-flat';
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** A sidecar is a service with a BOT_URL that leads elsewhere; the bot is the service it leads to. */
export function whoIsWho({ services }: ComposeModel): Stack {
  const pairs: Pair[] = [];
  const strays: Service[] = [];
  for (const sidecar of services) {
    const host = hostOf(variable(sidecar, 'BOT_URL'));
    // The gate has a BOT_URL too: the bot in its own container.
    if (host === undefined || (LOOPBACK.has(host) && sidecar.network_mode?.includes(':') !== true)) continue;
    const bot = LOOPBACK.has(host)
      ? services.find(({ name }) => sidecar.network_mode === `service:${name}`)
      : services.find((service) => service !== sidecar && namesOf(service).includes(host));
    if (bot === undefined) strays.push(sidecar);
    else pairs.push(pair(sidecar, bot));
  }
  return { services, pairs, strays };
}

function pair(sidecar: Service, bot: Service): Pair {
  const span = (service: Service, name: string, fallback: string): number =>
    spanMs(variable(service, name) ?? fallback) ?? spanMs(fallback) ?? 0;
  return {
    sidecar,
    bot,
    gated: isGated(bot),
    drainTimeoutMs: span(sidecar, 'DRAIN_TIMEOUT', '60s'),
    gateTimeoutMs: span(bot, 'GATE_TIMEOUT', '70s'),
    killAfterMs: span(bot, 'KILL_AFTER', '5s'),
  };
}

/** Shown by the command line, or, where the image has it as its entrypoint, by one of the gate's own variables. */
function isGated(bot: Service): boolean {
  const line = [...(bot.entrypoint ?? []), ...(bot.command ?? [])];
  if (line.some((word) => word.split(/[\s/]/).includes(GATE))) return true;
  const replaced = (bot.entrypoint ?? []).length > 0;
  return !replaced && (variable(bot, 'GATE_TIMEOUT') ?? variable(bot, 'KILL_AFTER')) !== undefined;
}

function namesOf({ name, container_name, hostname, networks }: Service): string[] {
  const aliases = Object.values(networks ?? {}).flatMap((network) => network?.aliases ?? []);
  return [name, container_name, hostname, ...aliases].filter((one) => typeof one === 'string');
}

function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}

/** Whether the bot is given the time that its gate may take. */
export const graceFitsGate = ({ bot, gateTimeoutMs, killAfterMs }: Pair): boolean =>
  graceMs(bot) >= gateTimeoutMs + killAfterMs;

/** Whether the sidecar is given the time that a drain may take, and 5 s to end. */
export const graceFitsDrain = ({ sidecar, drainTimeoutMs }: Pair): boolean =>
  graceMs(sidecar) >= drainTimeoutMs + 5000;

/** Whether a service depends on another, directly or by way of others. */
export function dependsOn(services: readonly Service[], from: Service, to: Service): boolean {
  const seen = new Set<string>();
  const reach = (name: string): boolean => {
    if (seen.has(name)) return false;
    seen.add(name);
    const next = Object.keys(services.find((service) => service.name === name)?.depends_on ?? {});
    return next.includes(to.name) || next.some(reach);
  };
  return reach(from.name);
}
