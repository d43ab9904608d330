import { z } from 'zod';

// What `docker compose config --format json` prints, as far as the rules ask. Compose has already put in variables,
// defaults and overrides, and brought short forms to long ones.

const text = z.string();
const words = z.union([text.transform((one) => [one]), z.array(text)]).nullish();

const service = z.looseObject({
  image: text.nullish(),
  build: z.looseObject({ args: z.record(text, z.unknown()).nullish() }).nullish(),
  entrypoint: words,
  command: words,
  environment: z.record(text, z.union([text, z.number(), z.boolean()]).nullable()).nullish(),
  depends_on: z
    .record(text, z.looseObject({ condition: text.nullish(), restart: z.boolean().nullish() }))
    .nullish(),
  healthcheck: z.looseObject({ test: words, disable: z.boolean().nullish() }).nullish(),
  restart: text.nullish(),
  deploy: z.looseObject({ restart_policy: z.looseObject({ condition: text.nullish() }).nullish() }).nullish(),
  stop_grace_period: text.nullish(),
  stop_signal: text.nullish(),
  init: z.boolean().nullish(),
  pid: text.nullish(),
  ipc: text.nullish(),
  network_mode: text.nullish(),
  networks: z.record(text, z.looseObject({ aliases: z.array(text).nullish() }).nullable()).nullish(),
  container_name: text.nullish(),
  hostname: text.nullish(),
  ports: z
    .array(
      z.looseObject({
        host_ip: text.nullish(),
        published: z.coerce.string().nullish(),
        target: z.coerce.string().nullish(),
      }),
    )
    .nullish(),
  volumes: z.array(z.looseObject({ type: text, source: text.nullish(), target: text.nullish() })).nullish(),
  secrets: z.array(z.looseObject({ source: text, target: text.nullish() })).nullish(),
});

const compose = z.looseObject({ services: z.record(text, service) });

/** A service of the stack, under its name. */
export type Service = z.output<typeof service> & { readonly name: string };

/** A stack that Compose can run. */
export interface ComposeModel {
  readonly services: readonly Service[];
}

/** The input is not what `docker compose config --format json` prints. */
export class ComposeModelError extends Error {
  override readonly name = 'ComposeModelError';
  readonly code = 'NOT_A_COMPOSE_MODEL';
}

/**
 * Reads the output of `docker compose config --format json`.
 *
 * @throws {ComposeModelError} when it is something else.
 */
export function readComposeModel(json: string): ComposeModel {
  const expected = 'expected what `docker compose config --format json` prints';
  if (json.trim() === '') throw new ComposeModelError(`${expected}, got nothing`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    // The parser's own message quotes the input, which may hold a secret.
    throw new ComposeModelError(`${expected}, got text that is not JSON`, { cause });
  }
  const read = compose.safeParse(parsed);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new ComposeModelError(`${expected}; ${issue?.path.join('.') || 'the top'} is not as it should be`);
  }
  return { services: Object.entries(read.data.services).map(([name, one]) => ({ ...one, name })) };
}

/** A variable of a service as text; undefined where it is not set, or set to nothing. */
export function variable({ environment }: Service, name: string): string | undefined {
  const value = environment?.[name];
  return value === undefined || value === null || value === '' ? undefined : String(value);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  ns: 1e-6,
};

/** A time span as Compose writes it, such as `1m30s`, in milliseconds; undefined where it is not one. */
export function spanMs(span: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|ms|us|ns|m|s))+$/.test(span)) return undefined;
  const parts = span.matchAll(/(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)/g);
  return [...parts].reduce((sum, [, number, unit = '']) => sum + Number(number) * (UNIT_MS[unit] ?? 0), 0);
}

/** How long a service is given to stop, in milliseconds; Docker's own default is 10 s. */
export const graceMs = ({ stop_grace_period: span }: Service): number =>
  (span ? spanMs(span) : undefined) ?? 10_000;

/** The same, for a person. */
export const seconds = (ms: number): string => `${ms / 1000}s`;
