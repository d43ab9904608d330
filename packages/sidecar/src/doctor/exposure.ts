import type { Finding, Rule } from './finding.ts';
import { type Service, variable } from './model.ts';
import type { Stack } from './roles.ts';

// What others could reach, read or change.

/** Every rule about exposure. */
export const exposure: readonly Rule<Stack>[] = [
  ({ services }) => services.flatMap(engineSocket),
  ({ services }) => services.flatMap(plainSecrets),
  published,
  ({ services }) => services.flatMap(movingImage),
  ({ services }) => services.flatMap(misbehaviour),
];

const SOCKET = /\/(docker|containerd|podman|crio)\.sock$/;

function engineSocket({ name, volumes }: Service): Finding[] {
  const mounted = (volumes ?? []).some(
    ({ source, target }) => SOCKET.test(source ?? '') || SOCKET.test(target ?? ''),
  );
  if (!mounted) return [];
  return [
    {
      code: 'ENGINE_SOCKET',
      severity: 'error',
      service: name,
      happens:
        'The socket of the engine is mounted: whoever gets into this container has the whole host. Botwarden needs no socket.',
      mend: 'Take the mount out.',
    },
  ];
}

const SECRET_NAME =
  /(^|_)(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|MNEMONIC|CREDENTIALS?)(_|$)/i;
const URL_WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;
/** Named by whoever made the program: the value is a path. */
const IS_A_PATH = /_(FILE|PATH|DIR)$/i;

function plainSecrets({ name, environment, build }: Service): Finding[] {
  const plain = (from: Readonly<Record<string, unknown>> | null | undefined): string[] =>
    Object.entries(from ?? {})
      .filter(([key, value]) => {
        const given = value === null || value === undefined ? '' : String(value);
        if (given === '' || IS_A_PATH.test(key)) return false;
        return SECRET_NAME.test(key) || URL_WITH_PASSWORD.test(given);
      })
      .map(([key]) => key);
  const found: Finding[] = plain(environment).map((key) => ({
    code: 'SECRET_IN_ENVIRONMENT',
    severity: 'error',
    service: name,
    happens: `${key} stands in its environment: \`docker inspect\` shows it, and every process and crash report in the container has it.`,
    mend: `Put it into a file, mount that as a secret, and set ${key}_FILE.`,
  }));
  const args: Finding[] = plain(build?.args).map((key) => ({
    code: 'SECRET_IN_IMAGE',
    severity: 'error',
    service: name,
    happens: `${key} is a build argument: it stays readable in the history of the image.`,
    mend: 'Use a build secret (RUN --mount=type=secret), or give it at run time as a file.',
  }));
  return [...found, ...args];
}

const isLoopback = (ip: string | null | undefined): boolean =>
  ip !== null && ip !== undefined && (ip.startsWith('127.') || ip === '::1' || ip === '[::1]');

function published({ services, pairs }: Stack): Finding[] {
  const guarded = new Set(pairs.flatMap(({ sidecar, bot }) => [sidecar.name, bot.name]));
  return services.flatMap(({ name, image, ports, network_mode }) => {
    const found = (ports ?? [])
      .filter(({ host_ip, published: port }) => port && !isLoopback(host_ip))
      .map((port): Finding => {
        const inner = guarded.has(name) || /postgres|redis|mysql|maria/.test(image ?? '');
        return {
          code: 'PORT_PUBLISHED',
          severity: inner ? 'error' : 'warning',
          service: name,
          happens: `Port ${port.target} is published on every address of the host, past its firewall: ${inner ? 'others can reach what only this stack should' : 'others can reach it'}.`,
          mend: inner
            ? 'Take ports out; services of one stack reach each other without. From the host: docker compose exec.'
            : `Publish it on the loopback only: "127.0.0.1:${port.published}:${port.target}", and put a reverse proxy with authentication in front.`,
        };
      });
    if (network_mode !== 'host') return found;
    return [
      ...found,
      {
        code: 'HOST_NETWORK',
        severity: 'error',
        service: name,
        happens:
          'It has the network of the host: every port it listens on is open to whoever reaches the host.',
        mend: 'Take network_mode out and use a network of the stack.',
      },
    ];
  });
}

function movingImage({ name, image, build }: Service): Finding[] {
  // What is built here is what stands here.
  if (!image || build || image.includes('@sha256:')) return [];
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  if (tag !== undefined && tag !== 'latest') return [];
  return [
    {
      code: 'IMAGE_MOVES',
      severity: 'warning',
      service: name,
      happens: `${image} is whatever was newest when it was pulled: the next deploy may bring another program, and none can bring this one back.`,
      mend: 'Pin a version, best with its digest.',
    },
  ];
}

function misbehaviour(service: Service): Finding[] {
  if (!['1', 'true'].includes(variable(service, 'ALLOW_MISBEHAVIOUR') ?? '')) return [];
  return [
    {
      code: 'MISBEHAVIOUR_ALLOWED',
      severity: 'error',
      service: service.name,
      happens: 'Whoever reaches its port can make it hang, crash or lie.',
      mend: 'Take ALLOW_MISBEHAVIOUR out; it is for trying things out.',
    },
  ];
}
