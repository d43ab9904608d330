import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { doctor } from '../../src/commands/doctor.ts';
import { diagnose, RULES } from '../../src/doctor/diagnose.ts';
import { readManifests } from '../../src/doctor/manifests.ts';
import { ComposeModelError } from '../../src/doctor/model.ts';
import { report } from '../../src/doctor/report.ts';
import type { Named } from '../../src/doctor/roles.ts';
import type { Host } from '../../src/host.ts';

// biome-ignore lint/suspicious/noExplicitAny: a manifest is changed in any place.
type Json = any;
interface Manifests {
  bot: Json;
  pod: Json;
  container: Json;
  sidecar: Json;
  service: Json;
  budget: Json;
  settings: Json;
  others: Json[];
}

/** Manifests in which nothing is wrong. */
function good(): Manifests {
  const labels = { app: 'bot' };
  const secretFiles = (...names: string[]) =>
    names.map((name) => ({ name: `${name.toUpperCase()}_FILE`, value: `/etc/botwarden/${name}` }));
  const mounts = [{ name: 'secrets', mountPath: '/etc/botwarden', readOnly: true }];
  const sidecar = {
    name: 'sidecar',
    image: 'botwarden-sidecar:0.1.0',
    restartPolicy: 'Always',
    env: [
      { name: 'BOT_URL', value: 'http://localhost:8000' },
      ...secretFiles('bot_token', 'drain_token', 'alert_webhook_url'),
      { name: 'STOP_GRACE_PERIOD', value: '75s' },
    ],
    envFrom: [{ configMapRef: { name: 'settings' } }],
    ports: [{ containerPort: 9400 }],
    livenessProbe: { httpGet: { path: '/ping', port: 9400 } },
    volumeMounts: [...mounts, { name: 'receipts', mountPath: '/var/lib/botwarden' }],
  };
  const container = {
    name: 'bot',
    image: 'my-bot:1.0.0',
    command: ['hold-until-flat'],
    args: ['python', '-m', 'bot'],
    env: [
      ...secretFiles('bot_token', 'drain_token'),
      { name: 'SIDECAR_URL', value: 'http://localhost:9400' },
    ],
    ports: [{ containerPort: 8000 }],
    livenessProbe: { httpGet: { path: '/livez', port: 9400 } },
    startupProbe: { httpGet: { path: '/startupz', port: 9400 }, periodSeconds: 5, failureThreshold: 24 },
    resources: { limits: { memory: '2Gi' } },
    volumeMounts: mounts,
  };
  const pod = {
    terminationGracePeriodSeconds: 150,
    initContainers: [sidecar],
    containers: [container],
    volumes: [
      { name: 'secrets', secret: { secretName: 'botwarden' } },
      { name: 'receipts', persistentVolumeClaim: { claimName: 'receipts' } },
    ],
  };
  return {
    pod,
    container,
    sidecar,
    bot: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'btc' },
      spec: { replicas: 1, strategy: { type: 'Recreate' }, template: { metadata: { labels }, spec: pod } },
    },
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'btc-sidecar' },
      spec: { selector: labels, ports: [{ port: 9400, targetPort: 9400 }] },
    },
    budget: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'btc' },
      spec: { maxUnavailable: 0, selector: { matchLabels: labels } },
    },
    settings: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { BOT_NAME: 'btc' },
    },
    others: [],
  };
}

type Change = (manifests: Manifests) => void;

const stream = ({ bot, service, budget, settings, others }: Manifests): string =>
  [bot, service, budget, settings, ...others]
    .filter((one) => one !== undefined)
    .map((one) => stringify(one))
    .join('---\n');

/** What is found in those manifests after a change. */
function after(change: Change, named: Named = {}) {
  const manifests = good();
  change(manifests);
  const model = readManifests(stream(manifests));
  if (model === undefined) throw new Error('these are no manifests');
  return diagnose(model, named);
}

const variable = (container: Json, name: string): Json =>
  container.env.find((one: Json) => one.name === name) ??
  container.env[container.env.push({ name, value: '' }) - 1];
const drop = (container: Json, name: string): void => {
  container.env = container.env.filter((one: Json) => one.name !== name);
};

interface Case {
  severity: 'error' | 'warning';
  service: string | null;
  trips: Change;
  spares: Change;
}

/** For each rule that pods are looked at by: what trips it, and as close to that as manifests may come. */
const CASES: Record<string, readonly Case[]> = {
  SIDECAR_NOT_NATIVE: [
    {
      severity: 'warning',
      service: 'btc/sidecar',
      trips: ({ pod, sidecar }) => {
        delete sidecar.restartPolicy;
        pod.initContainers = [];
        pod.containers.push(sidecar);
      },
      spares: ({ pod }) => {
        pod.containers.push({ name: 'exporter', image: 'exporter:1' });
      },
    },
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ pod, sidecar, container }) => {
        delete sidecar.restartPolicy;
        pod.initContainers = [];
        pod.containers.push(sidecar);
        container.command = ['python'];
      },
      spares: () => {},
    },
  ],
  POD_GRACE_TOO_SHORT: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ pod, sidecar }) => {
        pod.terminationGracePeriodSeconds = 74;
        drop(sidecar, 'STOP_GRACE_PERIOD');
      },
      spares: ({ pod, sidecar }) => {
        pod.terminationGracePeriodSeconds = 140;
        drop(sidecar, 'STOP_GRACE_PERIOD');
      },
    },
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ pod, sidecar }) => {
        pod.terminationGracePeriodSeconds = 139;
        drop(sidecar, 'STOP_GRACE_PERIOD');
      },
      spares: ({ pod, container, sidecar }) => {
        delete pod.terminationGracePeriodSeconds;
        drop(sidecar, 'STOP_GRACE_PERIOD');
        variable(container, 'GATE_TIMEOUT').value = '14s';
        variable(container, 'KILL_AFTER').value = '5s';
        variable(sidecar, 'DRAIN_TIMEOUT').value = '6s';
      },
    },
  ],
  GRACE_NOT_AS_TOLD: [
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ sidecar }) => {
        variable(sidecar, 'STOP_GRACE_PERIOD').value = '76s';
      },
      spares: ({ container, sidecar }) => {
        variable(sidecar, 'STOP_GRACE_PERIOD').value = '74s';
        container.lifecycle = { preStop: { sleep: { seconds: 1 } } };
      },
    },
  ],
  TWO_BOTS_AT_ONCE: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ bot }) => {
        delete bot.spec.strategy;
      },
      spares: ({ bot }) => {
        bot.kind = 'StatefulSet';
        delete bot.spec.strategy;
      },
    },
  ],
  BOT_SCALED: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ bot }) => {
        bot.spec.replicas = 2;
      },
      spares: ({ bot }) => {
        delete bot.spec.replicas;
      },
    },
  ],
  EVICTED_WITHOUT_ASKING: [
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: (manifests) => {
        manifests.budget = undefined;
      },
      spares: ({ budget }) => {
        budget.spec = { ...budget.spec, maxUnavailable: undefined, minAvailable: 1 };
      },
    },
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: ({ budget }) => {
        budget.spec.selector.matchLabels = { app: 'another' };
      },
      spares: () => {},
    },
  ],
  LIVENESS_MEANS_ANOTHER: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ container }) => {
        container.livenessProbe.httpGet = { path: '/health', port: 8000 };
      },
      spares: ({ container }) => {
        container.livenessProbe.httpGet.port = '9400';
      },
    },
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: ({ container }) => {
        delete container.livenessProbe;
      },
      spares: () => {},
    },
  ],
  STARTUP_GIVES_UP: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ container }) => {
        container.startupProbe.failureThreshold = 23;
      },
      spares: ({ container }) => {
        delete container.startupProbe;
      },
    },
  ],
  SIDECAR_LIVENESS_IS_BOTS: [
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ sidecar }) => {
        sidecar.livenessProbe.httpGet.path = '/livez';
      },
      spares: ({ sidecar }) => {
        delete sidecar.livenessProbe;
      },
    },
  ],
  NOT_RESTARTED: [
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: (manifests) => {
        const { pod } = manifests;
        manifests.bot = {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'btc', labels: { app: 'bot' } },
          spec: pod,
        };
      },
      spares: () => {},
    },
  ],
  NO_RESTART_POLICY: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ pod }) => {
        pod.restartPolicy = 'Never';
      },
      spares: ({ pod }) => {
        pod.restartPolicy = 'Always';
      },
    },
  ],
  NO_SIDECAR: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ pod }) => {
        pod.initContainers = [];
      },
      spares: () => {},
    },
  ],
  NO_GATE: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ container }) => {
        container.command = ['python'];
      },
      spares: ({ container }) => {
        container.command = ['/usr/bin/tini', '--', 'hold-until-flat'];
      },
    },
  ],
  GATE_UNKNOWN: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ container }) => {
        delete container.command;
      },
      spares: () => {},
    },
  ],
  GATE_CANNOT_REACH_SIDECAR: [
    {
      severity: 'error',
      service: 'btc/bot',
      // The default is a name of Compose.
      trips: ({ container }) => {
        drop(container, 'SIDECAR_URL');
      },
      spares: ({ container }) => {
        variable(container, 'SIDECAR_URL').value = 'http://btc-sidecar:9400';
      },
    },
  ],
  DRAIN_TOKEN_MISSING: [
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: ({ container }) => {
        drop(container, 'DRAIN_TOKEN_FILE');
        container.env.push({
          name: 'DRAIN_TOKEN',
          valueFrom: { secretKeyRef: { name: 'another', key: 'drain_token' } },
        });
      },
      spares: ({ container, sidecar }) => {
        for (const one of [container, sidecar]) {
          drop(one, 'DRAIN_TOKEN_FILE');
          one.env.push({
            name: 'DRAIN_TOKEN',
            valueFrom: { secretKeyRef: { name: 'botwarden', key: 'drain_token' } },
          });
        }
      },
    },
  ],
  BOT_TOKEN_DIFFERS: [
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ pod, sidecar }) => {
        pod.volumes.push({
          name: 'others',
          secret: {
            secretName: 'botwarden',
            items: [
              { key: 'another_token', path: 'bot_token' },
              { key: 'drain_token', path: 'drain_token' },
            ],
          },
        });
        sidecar.volumeMounts[0] = { name: 'others', mountPath: '/etc/botwarden' };
      },
      spares: ({ pod, sidecar }) => {
        pod.volumes.push({
          name: 'others',
          projected: {
            sources: [
              {
                secret: {
                  name: 'botwarden',
                  items: [
                    { key: 'bot_token', path: 'bot_token' },
                    { key: 'drain_token', path: 'drain_token' },
                  ],
                },
              },
            ],
          },
        });
        sidecar.volumeMounts[0] = { name: 'others', mountPath: '/etc/botwarden' };
      },
    },
  ],
  RECEIPTS_NOT_KEPT: [
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ pod }) => {
        pod.volumes[1] = { name: 'receipts', emptyDir: {} };
      },
      spares: ({ bot, pod }) => {
        bot.kind = 'StatefulSet';
        delete bot.spec.strategy;
        bot.spec.volumeClaimTemplates = [{ metadata: { name: 'receipts' } }];
        pod.volumes.pop();
      },
    },
  ],
  NO_MEMORY_LIMIT: [
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: ({ container }) => {
        delete container.resources;
      },
      spares: () => {},
    },
  ],
  PORT_PUBLISHED: [
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ service }) => {
        service.spec.type = 'LoadBalancer';
      },
      spares: ({ service }) => {
        service.spec.type = 'ClusterIP';
      },
    },
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ container }) => {
        container.ports[0].hostPort = 8000;
      },
      spares: () => {},
    },
  ],
  SECRET_IN_ENVIRONMENT: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ container }) => {
        variable(container, 'API_KEY').value = 'hunter2';
      },
      spares: ({ container }) => {
        container.env.push({ name: 'API_KEY', valueFrom: { secretKeyRef: { name: 'x', key: 'y' } } });
      },
    },
    {
      severity: 'error',
      service: 'btc/sidecar',
      trips: ({ settings }) => {
        settings.data.DATABASE_URL = 'postgres://bot:hunter2@db/bot';
      },
      spares: () => {},
    },
  ],
  ENGINE_SOCKET: [
    {
      severity: 'error',
      service: 'btc/bot',
      trips: ({ pod, container }) => {
        pod.volumes.push({ name: 'run', hostPath: { path: '/run' } });
        container.volumeMounts = [...container.volumeMounts, { name: 'run', mountPath: '/host/run' }];
      },
      spares: ({ pod, container }) => {
        pod.volumes.push({ name: 'data', hostPath: { path: '/srv/data' } });
        container.volumeMounts = [...container.volumeMounts, { name: 'data', mountPath: '/data' }];
      },
    },
  ],
  NO_ALERTS: [
    {
      severity: 'warning',
      service: 'btc/sidecar',
      trips: ({ sidecar }) => {
        drop(sidecar, 'ALERT_WEBHOOK_URL_FILE');
      },
      spares: () => {},
    },
  ],
  IMAGE_MOVES: [
    {
      severity: 'warning',
      service: 'btc/bot',
      trips: ({ container }) => {
        container.image = 'my-bot:latest';
      },
      spares: ({ container }) => {
        container.image = `my-bot@sha256:${'0'.repeat(64)}`;
      },
    },
  ],
};

describe('manifests in which nothing is wrong', () => {
  it('satisfy every rule', () => {
    expect(after(() => {})).toEqual([]);
  });
  it('and the report speaks of Kubernetes', () => {
    expect(report([], 'kubernetes')).toMatch(/kubectl delete pod --grace-period=0 --force/);
  });
});

it('has a case for every rule that is about pods alone', () => {
  const ofPods = RULES.filter(({ platforms }) => platforms?.join() === 'kubernetes').map(({ code }) => code);
  expect(ofPods.filter((code) => CASES[code] === undefined)).toEqual([]);
});

describe.each(
  Object.entries(CASES).flatMap(([code, cases]) => cases.map((one, at) => ({ code, at: at + 1, ...one }))),
)('$code, case $at', ({ code, severity, service, trips, spares }) => {
  it('is found, in the words of Kubernetes', () => {
    const findings = after(trips);
    expect(findings.map((finding) => [finding.code, finding.severity, finding.service])).toContainEqual([
      code,
      severity,
      service,
    ]);
    const said = findings
      .map(({ happens, mend, leavesOpen = [] }) => [happens, mend, ...leavesOpen].join('\n'))
      .join('\n')
      // The way to see what an image starts.
      .replace('docker image inspect', '');
    expect(said).not.toMatch(
      /[Cc]ompose|stop_grace_period|mem_limit|named volume|docker (stop|exec|inspect)/,
    );
    expect(said).not.toContain('hunter2');
  });
  it('is not found where that is right', () => {
    expect(after(spares).map((finding) => finding.code)).not.toContain(code);
  });
});

describe('who is who', () => {
  it('looks at every bot beside the sidecar of its own pod', () => {
    const second = good();
    second.bot.metadata.name = 'eth';
    second.container.livenessProbe.httpGet.path = '/readyz';
    const findings = after(({ others }) => others.push(second.bot));
    expect(findings.map(({ code, service }) => [code, service])).toEqual([
      ['LIVENESS_MEANS_ANOTHER', 'eth/bot'],
    ]);
  });

  it('takes a person’s word for it', () => {
    expect(() => after(() => {}, { bot: 'bot' })).toThrow(/btc\/bot, btc\/sidecar/);
    expect(after(() => {}, { bot: 'btc/bot', sidecar: 'btc/sidecar' })).toEqual([]);
  });

  it('reads a List, as kubectl get prints it, and JSON', () => {
    const manifests = good();
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [manifests.bot, manifests.budget, manifests.service],
    };
    const model = readManifests(JSON.stringify(list));
    expect(model?.services.map(({ name }) => name)).toEqual(['btc/bot', 'btc/sidecar']);
  });
});

describe('is no stream of manifests', () => {
  it.each([
    ['nothing', ''],
    ['what Compose prints', '{"services":{"bot":{}}}'],
    ['YAML of something else', 'services:\n  bot: {}'],
    ['no YAML at all', '{'],
    ['a stream with something else in it', 'apiVersion: v1\nkind: Service\n---\nservices: {}'],
  ])('%s', (_what, text) => {
    expect(readManifests(text)).toBeUndefined();
  });

  it.each([
    ['has no pod', 'apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: {}'],
    [
      'has a container without a name',
      stream({ ...good(), bot: { ...good().bot, spec: { template: { spec: { containers: [{}] } } } } }),
    ],
  ])('one that %s is refused in words', (_what, text) => {
    expect(() => readManifests(text)).toThrow(ComposeModelError);
    expect(() => readManifests(text)).toThrow(/kubectl kustomize/);
  });
});

it('the command reads them from its standard input', async () => {
  const manifests = good();
  manifests.bot.spec.replicas = 2;
  let [stdout, stderr] = ['', ''];
  const into = (take: (text: string) => void) =>
    new Writable({
      write(chunk, _encoding, done) {
        take(String(chunk));
        done();
      },
    });
  const code = await doctor([], {
    stdin: Readable.from([stream(manifests)]),
    stdout: into((text) => (stdout += text)),
    stderr: into((text) => (stderr += text)),
    onSignal: () => {},
  } as unknown as Host);
  expect(stderr).toBe('');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^error {4}btc\/bot: BOT_SCALED\n/);
});
