import { parseDuration } from '@botwarden/probes';
import { type Gate, gateOf } from './gate.ts';
import { type ComposeModel, graceMs, type Service, variable } from './model.ts';
import { WORDS, type Words } from './platform.ts';

/** A bot and the sidecar that watches it. Times in milliseconds. */
export interface Pair {
  readonly sidecar: Service;
  readonly bot: Service;
  /** What can be known of the bot's gate. */
  readonly gate: Gate;
  readonly drainTimeoutMs: number;
  readonly gateTimeoutMs: number;
  readonly killAfterMs: number;
}

/** A stack, and who is who in it. */
export interface Stack extends ComposeModel {
  readonly pairs: readonly Pair[];
  /** Sidecars whose BOT_URL names no service of the stack. */
  readonly strays: readonly Service[];
  /** How things are called where it runs. */
  readonly words: Words;
  /** Every service known to be a bot, with a sidecar or without. */
  readonly bots: readonly Service[];
  /** Every service known to be a sidecar, with a bot or without. */
  readonly sidecars: readonly Service[];
  readonly databases: readonly Service[];
  readonly dashboards: readonly Service[];
  /** Whether it says of itself that it is no place for trying things out. */
  readonly production: boolean;
}

/** Which service is what, where a person has said so. */
export interface Named {
  readonly bot?: string;
  readonly sidecar?: string;
}

/** A person named a service that the stack does not have. */
export class NoSuchServiceError extends Error {
  override readonly name = 'NoSuchServiceError';
  readonly code = 'NO_SUCH_SERVICE';
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether a host of a URL is the container itself. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host);

/**
 * Finds out who is who. A sidecar is a service with a BOT_URL that leads elsewhere, and its bot is the service it
 * leads to, unless a person has named them. Without a sidecar, a service called `bot`, or one under the gate, is the
 * bot; a database and a dashboard are known by their images.
 *
 * @throws {NoSuchServiceError} when a named service is not there.
 */
export function whoIsWho(model: ComposeModel, named: Named = {}): Stack {
  const { services } = model;
  const namedBot = byName(services, '--bot', named.bot);
  const namedSidecar = byName(services, '--sidecar', named.sidecar);
  const candidates = namedSidecar === undefined ? services.filter(looksLikeSidecar) : [namedSidecar];
  const pairs: Pair[] = [];
  const strays: Service[] = [];
  for (const sidecar of candidates) {
    const led = ledTo(services, sidecar);
    if (led === undefined && namedBot === undefined) strays.push(sidecar);
    // One bot was named: other sidecars of the stack are none of this.
    else if (
      namedBot === undefined ||
      namedBot === led ||
      namedSidecar !== undefined ||
      candidates.length === 1
    ) {
      const bot = namedBot ?? led;
      if (bot !== undefined && bot !== sidecar) pairs.push(pair(sidecar, bot));
    }
  }
  const lone = namedBot === undefined ? loneBots(services) : [namedBot];
  const bots = pairs.length > 0 ? [...new Set(pairs.map(({ bot }) => bot))] : lone;
  return {
    ...model,
    words: WORDS[model.platform],
    pairs,
    strays,
    bots,
    sidecars: [...pairs.map(({ sidecar }) => sidecar), ...strays],
    databases: services.filter(isPostgres),
    dashboards: services.filter(isDashboard),
    production: services.some(({ labels }) => labels?.['io.botwarden.environment'] === 'production'),
  };
}

function byName(services: readonly Service[], option: string, name: string | undefined): Service | undefined {
  if (name === undefined) return undefined;
  const found = services.find((service) => service.name === name);
  if (found !== undefined) return found;
  const there = services.map((service) => service.name).join(', ');
  throw new NoSuchServiceError(
    `${option} expects a service of the stack (${there}), got ${JSON.stringify(name)}`,
  );
}

function looksLikeSidecar(service: Service): boolean {
  const host = hostOf(variable(service, 'BOT_URL'));
  // The gate has a BOT_URL too: the bot in its own container.
  if (host === undefined || namesOf(service).includes(host)) return false;
  return !LOOPBACK.has(host) || service.network_mode?.includes(':') === true;
}

function ledTo(services: readonly Service[], sidecar: Service): Service | undefined {
  const host = hostOf(variable(sidecar, 'BOT_URL'));
  if (host === undefined) return undefined;
  return LOOPBACK.has(host)
    ? services.find(({ name }) => sidecar.network_mode === `service:${name}`)
    : services.find((service) => service !== sidecar && namesOf(service).includes(host));
}

function loneBots(services: readonly Service[]): readonly Service[] {
  const gated = services.filter((service) => gateOf(service) === 'shown');
  return gated.length > 0 ? gated : services.filter(({ name }) => name === 'bot');
}

function pair(sidecar: Service, bot: Service): Pair {
  const span = (service: Service, name: string, fallback: number): number =>
    parseDuration(variable(service, name) ?? '') ?? fallback;
  return {
    sidecar,
    bot,
    gate: gateOf(bot),
    drainTimeoutMs: span(sidecar, 'DRAIN_TIMEOUT', 60_000),
    gateTimeoutMs: span(bot, 'GATE_TIMEOUT', 70_000),
    killAfterMs: span(bot, 'KILL_AFTER', 5000),
  };
}

const isPostgres = ({ image }: Service): boolean =>
  /(^|[/_-])(postgres|postgresql|postgis|timescaledb)([:@_-]|$)/.test(image ?? '');

const isDashboard = (service: Service): boolean =>
  /(^|\/)botwarden-dashboard([:@]|$)/.test(service.image ?? '') ||
  (variable(service, 'SIDECARS') ?? variable(service, 'SIDECARS_FILE')) !== undefined;

/** Every name under which another service can reach it. */
export function namesOf({ name, container_name, hostname, networks }: Service): readonly string[] {
  const aliases = Object.values(networks ?? {}).flatMap((network) => network?.aliases ?? []);
  return [name, container_name, hostname, ...aliases].filter((one) => typeof one === 'string');
}

/** The host of a URL; undefined where it is none. */
export function hostOf(url: string | undefined): string | undefined {
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
