import { parseDuration } from '@botwarden/probes';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { gateOf } from './gate.ts';
import { type ComposeModel, ComposeModelError, type Pod, type Service, variable } from './model.ts';

// Manifests of Kubernetes as `kubectl kustomize`, `helm template` or `kubectl get -o yaml` print them, brought onto the
// model of a Compose stack: a container is a service, its pod is what it shares with others.

const text = z.string();
const quantity = z.union([z.string(), z.number()]);
const labels = z.record(text, quantity).nullish();

const keyRef = z.looseObject({ name: text.nullish(), key: text });
const probe = z
  .looseObject({
    httpGet: z.looseObject({ path: text.nullish(), port: quantity }).nullish(),
    exec: z.looseObject({ command: z.array(text).nullish() }).nullish(),
    periodSeconds: z.number().nullish(),
    failureThreshold: z.number().nullish(),
  })
  .nullish();

const container = z.looseObject({
  name: text,
  image: text.nullish(),
  command: z.array(text).nullish(),
  args: z.array(text).nullish(),
  restartPolicy: text.nullish(),
  env: z
    .array(
      z.looseObject({
        name: text,
        value: quantity.nullish(),
        valueFrom: z
          .looseObject({ secretKeyRef: keyRef.nullish(), configMapKeyRef: keyRef.nullish() })
          .nullish(),
      }),
    )
    .nullish(),
  envFrom: z
    .array(
      z.looseObject({
        prefix: text.nullish(),
        configMapRef: z.looseObject({ name: text.nullish() }).nullish(),
      }),
    )
    .nullish(),
  ports: z.array(z.looseObject({ containerPort: z.number(), hostPort: z.number().nullish() })).nullish(),
  volumeMounts: z
    .array(
      z.looseObject({
        name: text,
        mountPath: text,
        subPath: text.nullish(),
        readOnly: z.boolean().nullish(),
      }),
    )
    .nullish(),
  resources: z.looseObject({ limits: z.record(text, quantity).nullish() }).nullish(),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: z
    .looseObject({
      preStop: z.looseObject({ sleep: z.looseObject({ seconds: z.number() }).nullish() }).nullish(),
    })
    .nullish(),
});
type Container = z.output<typeof container>;

const items = z.array(z.looseObject({ key: text, path: text })).nullish();
const podSpec = z.looseObject({
  containers: z.array(container),
  initContainers: z.array(container).nullish(),
  terminationGracePeriodSeconds: z.number().nullish(),
  restartPolicy: text.nullish(),
  hostNetwork: z.boolean().nullish(),
  hostPID: z.boolean().nullish(),
  volumes: z
    .array(
      z.looseObject({
        name: text,
        secret: z.looseObject({ secretName: text.nullish(), items }).nullish(),
        projected: z
          .looseObject({
            sources: z
              .array(z.looseObject({ secret: z.looseObject({ name: text.nullish(), items }).nullish() }))
              .nullish(),
          })
          .nullish(),
        persistentVolumeClaim: z.looseObject({ claimName: text }).nullish(),
        hostPath: z.looseObject({ path: text }).nullish(),
        emptyDir: z.looseObject({}).nullish(),
      }),
    )
    .nullish(),
});
type PodSpec = z.output<typeof podSpec>;

const metadata = z
  .looseObject({ name: text, namespace: text.nullish(), labels, annotations: labels })
  .nullish();
const template = z.looseObject({ metadata: z.looseObject({ labels }).nullish(), spec: podSpec });
const workload = z.looseObject({
  metadata,
  spec: z.looseObject({
    replicas: z.number().nullish(),
    strategy: z.looseObject({ type: text.nullish() }).nullish(),
    template,
    volumeClaimTemplates: z.array(z.looseObject({ metadata })).nullish(),
  }),
});
const barePod = z.looseObject({ metadata, spec: podSpec });
const serviceObject = z.looseObject({
  metadata,
  spec: z.looseObject({
    type: text.nullish(),
    selector: labels,
    ports: z
      .array(
        z.looseObject({ port: z.number(), targetPort: quantity.nullish(), nodePort: z.number().nullish() }),
      )
      .nullish(),
  }),
});
const configMap = z.looseObject({ metadata, data: z.record(text, text).nullish() });
const disruptionBudget = z.looseObject({
  metadata,
  spec: z.looseObject({
    selector: z.looseObject({ matchLabels: labels }).nullish(),
    maxUnavailable: quantity.nullish(),
    minAvailable: quantity.nullish(),
  }),
});
const object = z.looseObject({ apiVersion: text, kind: text, items: z.array(z.unknown()).nullish() });

const EXPECTED = 'expected manifests as `kubectl kustomize` prints them';

/** Kinds that make pods. */
const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet']);

/**
 * Reads a stream of Kubernetes manifests, YAML or JSON. Gives undefined when none of its documents has `apiVersion` and
 * `kind`: then it is something else.
 *
 * @throws {ComposeModelError} when it has, and one of them is not as Kubernetes would take it.
 */
export function readManifests(stream: string): ComposeModel | undefined {
  const objects = documents(stream);
  if (objects === undefined || objects.length === 0) return undefined;
  const of = <Schema extends z.ZodType>(kinds: ReadonlySet<string>, schema: Schema): z.output<Schema>[] =>
    objects
      .filter(({ kind }) => kinds.has(kind))
      .map((one) => {
        const read = schema.safeParse(one);
        if (read.success) return read.data;
        const [issue] = read.error.issues;
        const named = (one.metadata as { name?: unknown } | undefined)?.name;
        throw new ComposeModelError(
          `${EXPECTED}; ${issue?.path.join('.')} of ${one.kind} ${String(named)} is not as it should be`,
        );
      });
  const services = of(new Set(['Service']), serviceObject);
  const maps = of(new Set(['ConfigMap']), configMap);
  const budgets = of(new Set(['PodDisruptionBudget']), disruptionBudget);
  const found = [
    ...objects.filter(({ kind }) => WORKLOADS.has(kind)).map(({ kind }) => kind),
    ...objects.filter(({ kind }) => kind === 'Pod').map(({ kind }) => kind),
  ];
  const pods: PodSource[] = [
    ...of(WORKLOADS, workload).map(({ metadata, spec }) => ({
      name: metadata?.name ?? '',
      labels: spec.template.metadata?.labels ?? {},
      annotations: metadata?.annotations ?? {},
      spec: spec.template.spec,
      replicas: spec.replicas ?? 1,
      strategy: spec.strategy?.type ?? 'RollingUpdate',
      claims: (spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata?.name ?? ''),
    })),
    ...of(new Set(['Pod']), barePod).map(({ metadata, spec }) => ({
      name: metadata?.name ?? '',
      labels: metadata?.labels ?? {},
      annotations: metadata?.annotations ?? {},
      spec,
      replicas: 1,
      strategy: undefined,
      claims: [],
    })),
  ].map((pod, at) => ({ ...pod, kind: found[at] ?? 'Pod' }));
  if (pods.length === 0) throw new ComposeModelError(`${EXPECTED}; it has no Deployment, StatefulSet or Pod`);
  const context: Context = { services, maps, budgets };
  return {
    name: undefined,
    platform: 'kubernetes',
    services: pods.flatMap((pod) => containersOf(pod, context)),
    secretFiles: [],
  };
}

interface PodSource {
  readonly kind: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly annotations: Readonly<Record<string, string | number>>;
  readonly spec: PodSpec;
  readonly replicas: number;
  readonly strategy: string | undefined;
  readonly claims: readonly string[];
}

interface Context {
  readonly services: readonly z.output<typeof serviceObject>[];
  readonly maps: readonly z.output<typeof configMap>[];
  readonly budgets: readonly z.output<typeof disruptionBudget>[];
}

/** Every document, the items of a List one by one; undefined where it is no YAML, or is about something else. */
function documents(stream: string): (z.output<typeof object> & { metadata?: unknown })[] | undefined {
  const parsed = parseAllDocuments(stream);
  if (!Array.isArray(parsed) || parsed.some(({ errors }) => errors.length > 0)) return undefined;
  const values = parsed.map((document) => document.toJS() as unknown).filter((value) => value !== null);
  const flat = values.flatMap((value) => {
    const read = object.safeParse(value);
    if (!read.success) return [undefined];
    return /List$/.test(read.data.kind) && read.data.items ? read.data.items : [value];
  });
  const objects = flat.map((value) => object.safeParse(value).data);
  return objects.some((one) => one === undefined)
    ? undefined
    : (objects as (z.output<typeof object> & { metadata?: unknown })[]);
}

const matches = (
  selector: Readonly<Record<string, string | number>> | null | undefined,
  of: Readonly<Record<string, string | number>>,
): boolean =>
  selector !== null &&
  selector !== undefined &&
  Object.keys(selector).length > 0 &&
  Object.entries(selector).every(([key, value]) => String(of[key]) === String(value));

function containersOf(source: PodSource, context: Context): Service[] {
  const { spec } = source;
  const all: { readonly one: Container; readonly native: boolean }[] = [
    ...spec.containers.map((one) => ({ one, native: false })),
    ...(spec.initContainers ?? [])
      .filter(({ restartPolicy }) => restartPolicy === 'Always')
      .map((one) => ({ one, native: true })),
  ];
  const drafts = all.map(({ one, native }) => ({
    one,
    native,
    service: draft(source, one, native, context),
  }));
  // The bot, where it can be told: what the others of the pod share the network with.
  const main =
    drafts.find(({ service }) => gateOf(service) === 'shown') ?? drafts.find(({ native }) => !native);
  const gateMs =
    main === undefined || gateOf(main.service) === 'absent'
      ? 0
      : span(main.service, 'GATE_TIMEOUT', 70_000) + span(main.service, 'KILL_AFTER', 5000);
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * 1000;
  return drafts.map(({ one, native, service }) => {
    const slept = (one.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1000;
    // A native sidecar gets its signal when every other container has ended, and then what is left of the time.
    const grace = Math.max(0, graceMs - slept - (native ? gateMs : 0));
    return {
      ...service,
      stop_grace_period: `${grace / 1000}s`,
      ...(spec.hostNetwork === true
        ? { network_mode: 'host' }
        : main !== undefined && service !== main.service
          ? { network_mode: `service:${main.service.name}` }
          : {}),
    };
  });
}

const span = (service: Service, name: string, fallback: number): number =>
  parseDuration(variable(service, name) ?? '') ?? fallback;

function draft(source: PodSource, one: Container, native: boolean, context: Context): Service {
  const { spec, name } = source;
  const serving = context.services.filter(({ spec: { selector } }) => matches(selector, source.labels));
  const environment = environmentOf(one, context);
  return {
    name: `${name}/${one.name}`,
    image: one.image,
    entrypoint: one.command,
    command: one.args,
    environment,
    labels: source.annotations,
    // A pod brings back what ends, its own containers too.
    restart: spec.restartPolicy === 'Never' ? 'no' : 'always',
    deploy: { replicas: source.replicas },
    mem_limit: one.resources?.limits?.memory,
    init: true,
    ...(spec.hostPID === true ? { pid: 'host' } : {}),
    networks: {
      cluster: { aliases: serving.map(({ metadata }) => metadata?.name ?? '').filter(Boolean) },
    },
    ports: [
      ...(one.ports ?? [])
        .filter(({ hostPort }) => hostPort)
        .map(({ hostPort, containerPort }) => ({ published: hostPort, target: containerPort })),
      ...serving
        .filter(({ spec: { type } }) => type === 'LoadBalancer' || type === 'NodePort')
        .flatMap(({ spec: { ports } }) => ports ?? [])
        .filter(({ port, targetPort }) =>
          (one.ports ?? []).some(({ containerPort }) => containerPort === (targetPort ?? port)),
        )
        .map(({ port, targetPort, nodePort }) => ({
          published: nodePort ?? port,
          target: targetPort ?? port,
        })),
    ],
    volumes: volumesOf(source, one),
    secrets: secretsOf(spec, one, environment),
    logging: { driver: 'kubelet' },
    pod: podOf(source, one, native, context),
  };
}

/** A secret out of a Secret is no text in the manifest: it is told as a file, so that two can be compared. */
function environmentOf(one: Container, { maps }: Context): NonNullable<Service['environment']> {
  const dataOf = (name: string | null | undefined): Record<string, string> =>
    maps.find(({ metadata }) => metadata?.name === name)?.data ?? {};
  const environment: Record<string, string | number | null> = {};
  for (const { prefix, configMapRef } of one.envFrom ?? [])
    for (const [key, value] of Object.entries(dataOf(configMapRef?.name)))
      environment[`${prefix ?? ''}${key}`] = value;
  for (const { name, value, valueFrom } of one.env ?? []) {
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    if (secretKeyRef) environment[`${name}_FILE`] = `${secretKeyRef.name}/${secretKeyRef.key} (a Secret)`;
    else if (configMapKeyRef) environment[name] = dataOf(configMapKeyRef.name)[configMapKeyRef.key] ?? '';
    else environment[name] = value ?? '';
  }
  return environment;
}

function volumesOf({ spec, claims }: PodSource, one: Container): NonNullable<Service['volumes']> {
  return (one.volumeMounts ?? []).flatMap(({ name, mountPath, readOnly }) => {
    const volume = (spec.volumes ?? []).find((candidate) => candidate.name === name);
    const base = { target: mountPath, read_only: readOnly };
    if (volume?.persistentVolumeClaim)
      return [{ ...base, type: 'volume', source: volume.persistentVolumeClaim.claimName }];
    if (claims.includes(name)) return [{ ...base, type: 'volume', source: name }];
    if (volume?.hostPath) return [{ ...base, type: 'bind', source: volume.hostPath.path }];
    if (volume?.emptyDir) return [{ ...base, type: 'tmpfs' }];
    return [];
  });
}

/** Which key of which Secret lies at which path, for the files that its variables name. */
function secretsOf(
  spec: PodSpec,
  one: Container,
  environment: NonNullable<Service['environment']>,
): NonNullable<Service['secrets']> {
  const files = Object.entries(environment)
    .filter(([name]) => name.endsWith('_FILE'))
    .map(([, value]) => String(value));
  return (one.volumeMounts ?? []).flatMap(({ name, mountPath, subPath }) => {
    const volume = (spec.volumes ?? []).find((candidate) => candidate.name === name);
    const sources = [
      ...(volume?.secret ? [{ name: volume.secret.secretName, items: volume.secret.items }] : []),
      ...(volume?.projected?.sources ?? []).flatMap(({ secret }) =>
        secret ? [{ name: secret.name, items: secret.items }] : [],
      ),
    ];
    const folder = `${mountPath.replace(/\/$/, '')}/`;
    return sources.flatMap(({ name: secret, items: keys }) =>
      subPath !== null && subPath !== undefined
        ? [{ source: `${secret}/${subPath}`, target: mountPath }]
        : keys
          ? keys.map(({ key, path }) => ({ source: `${secret}/${key}`, target: `${folder}${path}` }))
          : files
              .filter((file) => file.startsWith(folder))
              .map((file) => ({ source: `${secret}/${file.slice(folder.length)}`, target: file })),
    );
  });
}

function podOf(source: PodSource, one: Container, native: boolean, { budgets }: Context): Pod {
  const asks = (given: Container['livenessProbe']): Pod['liveness'] => {
    if (!given) return null;
    const { httpGet, periodSeconds, failureThreshold } = given;
    return {
      path: httpGet?.path ?? null,
      port: httpGet ? String(httpGet.port) : null,
      patienceMs: (periodSeconds ?? 10) * (failureThreshold ?? 3) * 1000,
    };
  };
  return {
    name: source.name,
    kind: source.kind,
    graceMs: (source.spec.terminationGracePeriodSeconds ?? 30) * 1000,
    native,
    strategy: source.kind === 'Deployment' ? (source.strategy ?? null) : null,
    guarded: budgets.some(
      ({ spec: { selector, maxUnavailable, minAvailable } }) =>
        matches(selector?.matchLabels, source.labels) &&
        (String(maxUnavailable) === '0' || String(maxUnavailable) === '0%' || Boolean(minAvailable)),
    ),
    liveness: asks(one.livenessProbe),
    startup: asks(one.startupProbe),
    ports: (one.ports ?? []).map(({ containerPort }) => String(containerPort)),
  };
}
