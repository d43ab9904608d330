import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { tool } from '../../../../vitest.tools.ts';

const folder = fileURLToPath(new URL('../../', import.meta.url));
const top = path.join(folder, '../..');
const kustomize = tool('kustomize');
const validate = tool('kubernetes-validate');

/** The Kubernetes whose published types decide, and the oldest in which native sidecars are on by default. */
const VERSIONS = ['1.37.0', '1.29.0'];

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  // biome-ignore lint/suspicious/noExplicitAny: as many shapes as there are kinds; kubernetes-validate decides.
  spec: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  [key: string]: any;
}

/** What `kubectl kustomize` makes of an overlay. */
function build(overlay: string): string {
  const args = ['build', path.join(folder, 'overlays', overlay)];
  const { status, stdout, stderr } = spawnSync(kustomize ?? '', args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

const read = (text: string): Manifest[] => parseAllDocuments(text).map((document) => document.toJS());

function doctor(manifests: string): { status: number | null; findings: { code: string; service: string }[] } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['packages/sidecar/src/main.ts', 'doctor', '--json'],
    { cwd: top, input: manifests, encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return { status, findings: JSON.parse(stdout).findings };
}

const why = kustomize === undefined ? ' (skipped: go install sigs.k8s.io/kustomize/kustomize/v5@latest)' : '';

describe.skipIf(kustomize === undefined)(`the manifests${why}`, () => {
  const built: Record<string, string> = {};
  beforeAll(() => {
    for (const overlay of ['try', 'production']) built[overlay] = build(overlay);
  });
  const of = (overlay: string, kind: string, name: string): Manifest => {
    const found = read(built[overlay] ?? '').find(
      (one) => one.kind === kind && one.metadata.name.startsWith(name),
    );
    if (found === undefined) throw new Error(`${overlay} has no ${kind} ${name}`);
    return found;
  };

  describe.skipIf(validate === undefined)('decoded strictly against the published types', () => {
    let files: string;
    beforeAll(() => {
      files = mkdtempSync(path.join(tmpdir(), 'botwarden-manifests-'));
    });
    afterAll(() => rmSync(files, { recursive: true, force: true }));

    /** What kubernetes-validate says of it. A ServiceMonitor is the operator's and not Kubernetes' own. */
    function strictly(
      manifests: readonly Manifest[],
      version: string,
    ): { status: number | null; said: string } {
      const file = path.join(files, 'manifests.yaml');
      writeFileSync(file, manifests.map((one) => stringify(one)).join('---\n'));
      const { status, stdout, stderr } = spawnSync(validate ?? '', ['--strict', '-k', version, file], {
        encoding: 'utf8',
      });
      return { status, said: stdout + stderr };
    }

    test.for(
      VERSIONS.flatMap((version) => ['try', 'production'].map((overlay) => [overlay, version] as const)),
    )('%s is taken by Kubernetes %s', ([overlay, version]) => {
      const manifests = read(built[overlay] ?? '').filter(({ kind }) => kind !== 'ServiceMonitor');
      const { status, said } = strictly(manifests, version);
      expect(status, said).toBe(0);
      expect(said.match(/passed/g)?.length).toBe(manifests.length);
    });

    test('a field that is misspelt, or in the wrong place, is not', () => {
      const bot = of('try', 'Deployment', 'bot');
      bot.spec.template.spec.terminationGracePeriod = 150;
      expect(strictly([bot], '1.37.0').status).not.toBe(0);
    });
  });

  test('a ServiceMonitor has what the operator asks for, and names a port that the Service has', () => {
    const monitor = of('production', 'ServiceMonitor', 'bot');
    expect(monitor.apiVersion).toBe('monitoring.coreos.com/v1');
    const service = of('production', 'Service', 'sidecar');
    for (const [key, value] of Object.entries(monitor.spec.selector.matchLabels))
      expect(service.metadata).toMatchObject({ labels: { [key]: value } });
    const ports = service.spec.ports.map(({ name }: { name: string }) => name);
    for (const { port } of monitor.spec.endpoints) expect(ports).toContain(port);
  });

  describe.for(['try', 'production'])('%s', (overlay) => {
    test('satisfies the doctor', () => {
      expect(doctor(built[overlay] ?? '')).toEqual({ status: 0, findings: [] });
    });

    test('keeps to the restricted profile of pod security, in every container', () => {
      const pods = read(built[overlay] ?? '').filter(({ spec }) => spec?.template);
      expect(pods.length).toBeGreaterThanOrEqual(2);
      for (const { spec } of pods) {
        const pod = spec.template.spec;
        expect(pod.securityContext).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(pod.automountServiceAccountToken).toBe(false);
        expect(pod.enableServiceLinks).toBe(false);
        for (const container of [...pod.containers, ...(pod.initContainers ?? [])])
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
      }
      expect(of(overlay, 'Namespace', '').metadata).toMatchObject({
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
      });
    });

    test('gives the bot what it may use at most, so that a node evicts it last', () => {
      const { containers, initContainers } = of(overlay, 'Deployment', 'bot').spec.template.spec;
      for (const { resources } of containers) expect(resources.requests).toEqual(resources.limits);
      for (const { resources } of [...containers, ...initContainers])
        expect(resources.requests.memory).toBe(resources.limits.memory);
    });

    test('has every secret as a file, and gives each container its own alone', () => {
      const { containers, initContainers, volumes } = of(overlay, 'Deployment', 'bot').spec.template.spec;
      for (const { env } of [...containers, ...initContainers])
        for (const { name, value, valueFrom } of env) {
          expect(valueFrom).toBeUndefined();
          if (/TOKEN|DATABASE|WEBHOOK/.test(name))
            expect([name, value]).toEqual([
              expect.stringMatching(/_FILE$/),
              expect.stringMatching(/^\/etc\/botwarden\//),
            ]);
        }
      const keys = (volume: string) =>
        volumes
          .find(({ name }: { name: string }) => name === volume)
          .secret.items.map(({ key }: { key: string }) => key);
      expect(keys('bot-secrets')).not.toContain('alert_webhook_url');
      expect(keys('sidecar-secrets')).toContain('alert_webhook_url');
    });

    test('lets nobody but the dashboard and Prometheus into the bot, and nobody at all to its own port', () => {
      const policies = read(built[overlay] ?? '').filter(
        ({ kind, spec }) =>
          kind === 'NetworkPolicy' && spec.podSelector.matchLabels['app.kubernetes.io/name'] === 'bot',
      );
      const ports = policies
        .flatMap(({ spec }) => spec.ingress)
        .flatMap(({ from, ports: open }) => {
          expect(from.length).toBeGreaterThan(0);
          return open.map(({ port }: { port: number }) => port);
        });
      expect(new Set(ports)).toEqual(new Set([9400]));
    });
  });

  test('the folder of production names no secret that everyone knows, and no image that moves', () => {
    expect(built.production).not.toMatch(/development-only|:latest/);
    expect(readFileSync(path.join(folder, 'overlays/production/kustomization.yaml'), 'utf8')).not.toMatch(
      /secretGenerator/,
    );
  });

  // Each as a person would patch it, read back as kustomize understands it.
  test.for<[string, string]>([
    ['/spec/strategy|{ "type": "RollingUpdate" }', 'TWO_BOTS_AT_ONCE'],
    ['/spec/replicas|2', 'BOT_SCALED'],
    ['/spec/template/spec/terminationGracePeriodSeconds|30', 'POD_GRACE_TOO_SHORT'],
    ['/spec/template/spec/terminationGracePeriodSeconds|100', 'POD_GRACE_TOO_SHORT'],
    ['/spec/template/spec/containers/0/command|["python"]', 'NO_GATE'],
    ['/spec/template/spec/containers/0/livenessProbe/httpGet/path|"/healthz"', 'LIVENESS_MEANS_ANOTHER'],
    ['/spec/template/spec/containers/0/startupProbe/failureThreshold|3', 'STARTUP_GIVES_UP'],
    ['/spec/template/spec/initContainers/0/livenessProbe/httpGet/path|"/livez"', 'SIDECAR_LIVENESS_IS_BOTS'],
    ['/spec/template/spec/hostNetwork|true', 'HOST_NAMESPACE'],
    ['/spec/template/spec/volumes/0|{ "name": "receipts", "emptyDir": {} }', 'RECEIPTS_NOT_KEPT'],
    [
      '/spec/template/spec/containers/0/env/0|{ "name": "API_KEY", "value": "hunter2" }',
      'SECRET_IN_ENVIRONMENT',
    ],
  ])('names what %s does', ([change, expected]) => {
    const [at = '', value = ''] = change.split('|');
    const here = mkdtempSync(path.join(folder, '.test-'));
    try {
      writeFileSync(
        path.join(here, 'kustomization.yaml'),
        stringify({
          resources: ['../overlays/production'],
          patches: [
            {
              target: { kind: 'Deployment', name: 'bot' },
              patch: JSON.stringify(
                [{ op: 'add', path: at, value: JSON.parse(value) }].map((one) => ({
                  ...one,
                  op: at.endsWith('/0') ? 'replace' : 'add',
                })),
              ),
            },
          ],
        }),
      );
      const { status, stdout, stderr } = spawnSync(kustomize ?? '', ['build', here], { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      const said = doctor(stdout);
      expect(said.findings.map(({ code }) => code)).toContain(expected);
      expect(JSON.stringify(said)).not.toContain('hunter2');
    } finally {
      rmSync(here, { recursive: true, force: true });
    }
  });
});
