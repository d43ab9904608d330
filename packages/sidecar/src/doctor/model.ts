import { z } from 'zod';
import type { Platform } from './platform.ts';

// What `docker compose config --format json` prints, as far as the rules ask. Compose has already put in variables,
// defaults and overrides, and brought short forms to long ones.

const text = z.string();
const scalar = z.union([text, z.number(), z.boolean()]);
const words = z.union([text.transform((one) => [one]), z.array(text)]).nullish();

const service = z.looseObject({
  image: text.nullish(),
  build: z.looseObject({ args: z.record(text, scalar.nullable()).nullish() }).nullish(),
  entrypoint: words,
  command: words,
  environment: z.record(text, scalar.nullable()).nullish(),
  labels: z.record(text, scalar.nullable()).nullish(),
  depends_on: z
    .record(text, z.looseObject({ condition: text.nullish(), restart: z.boolean().nullish() }))
    .nullish(),
  healthcheck: z
    .looseObject({ test: words, disable: z.boolean().nullish(), start_period: text.nullish() })
    .nullish(),
  restart: text.nullish(),
  scale: z.number().nullish(),
  deploy: z
    .looseObject({
      replicas: z.number().nullish(),
      restart_policy: z
        .looseObject({ condition: text.nullish(), max_attempts: z.number().nullish() })
        .nullish(),
      resources: z.looseObject({ limits: z.looseObject({ memory: scalar.nullish() }).nullish() }).nullish(),
    })
    .nullish(),
  mem_limit: scalar.nullish(),
  stop_grace_period: text.nullish(),
  stop_signal: text.nullish(),
  pre_stop: z.array(z.unknown()).nullish(),
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
        published: scalar.nullish(),
        target: scalar.nullish(),
      }),
    )
    .nullish(),
  use_api_socket: z.boolean().nullish(),
  volumes: z
    .array(
      z.looseObject({
        type: text,
        source: text.nullish(),
        target: text.nullish(),
        read_only: z.boolean().nullish(),
      }),
    )
    .nullish(),
  logging: z
    .looseObject({ driver: text.nullish(), options: z.record(text, scalar.nullable()).nullish() })
    .nullish(),
  secrets: z.array(z.looseObject({ source: text, target: text.nullish() })).nullish(),
});

const compose = z.looseObject({
  name: text.nullish(),
  services: z.record(text, service),
  secrets: z.record(text, z.looseObject({ file: text.nullish() })).nullish(),
});

/** What a probe of a kubelet asks, and how long it is patient before it acts; in milliseconds. */
export interface PodProbe {
  /** Null where it asks otherwise than by HTTP. */
  readonly path: string | null;
  readonly port: string | null;
  readonly patienceMs: number;
}

/** The pod that a container of Kubernetes lives in, and its place there. */
export interface Pod {
  /** Of the Deployment, or whatever else makes it. */
  readonly name: string;
  readonly kind: string;
  /** From the first signal to SIGKILL, for all of its containers together. */
  readonly graceMs: number;
  /** An init container that restarts: it starts before the others and ends after them. */
  readonly native: boolean;
  /** Of a Deployment. */
  readonly strategy: string | null;
  /** A PodDisruptionBudget keeps it from being evicted. */
  readonly guarded: boolean;
  readonly liveness: PodProbe | null;
  readonly startup: PodProbe | null;
  readonly ports: readonly string[];
}

/** A service of the stack, under its name; or a container of a pod, under `WORKLOAD/CONTAINER`. */
export type Service = z.output<typeof service> & { readonly name: string; readonly pod?: Pod };

/** A stack that Compose or Kubernetes can run. */
export interface ComposeModel {
  readonly platform: Platform;
  /** The project's; undefined where the input does not say. */
  readonly name: string | undefined;
  readonly services: readonly Service[];
  /** The files that its secrets come from. */
  readonly secretFiles: readonly string[];
}

/** The input is neither what `docker compose config --format json` prints nor a stream of manifests. */
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
  const expected =
    'expected what `docker compose config --format json` prints, or manifests as `kubectl kustomize` does';
  if (json.trim() === '') {
    throw new ComposeModelError(
      `${expected}, got nothing; the error of docker compose stands above, if it had one`,
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    // Without the parser's own error as a cause: it quotes the input, which may hold a secret.
    throw new ComposeModelError(`${expected}, got text that is not JSON`);
  }
  const read = compose.safeParse(parsed);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new ComposeModelError(`${expected}; ${issue?.path.join('.') || 'the top'} is not as it should be`);
  }
  const { name, services, secrets } = read.data;
  if (Object.keys(services).length === 0) throw new ComposeModelError(`${expected}; it has no service`);
  return {
    name: name ?? undefined,
    platform: 'compose',
    services: Object.entries(services).map(([key, one]) => ({ ...one, name: key })),
    secretFiles: Object.values(secrets ?? {}).flatMap(({ file }) => (file ? [file] : [])),
  };
}

/** A variable of a service as text; undefined where it is not set, or set to nothing. */
export function variable({ environment }: Service, name: string): string | undefined {
  const value = environment?.[name];
  return value === undefined || value === null || value === '' ? undefined : String(value);
}

/** What a container of the service runs, as far as the stack says; an entrypoint of its image is not in it. */
export const commandLine = ({ entrypoint, command }: Service): readonly string[] => [
  ...(entrypoint ?? []),
  ...(command ?? []),
];

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
