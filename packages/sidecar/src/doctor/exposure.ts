import type { Variable } from '@botwarden/service/variables';
import { VARIABLES } from '../config/variables.ts';
import { error, type Rule, warning } from './finding.ts';
import { commandLine, type Service, variable } from './model.ts';

/** What others could reach, read or change. */
export const exposure: readonly Rule[] = [
  {
    code: 'ENGINE_SOCKET',
    about: 'the socket of the engine is mounted',
    find: ({ services }) =>
      services
        .filter(
          ({ volumes, use_api_socket }) =>
            use_api_socket === true ||
            (volumes ?? []).some(
              ({ type, source, target }) =>
                SOCKET.test(source ?? '') ||
                SOCKET.test(target ?? '') ||
                (type === 'bind' && HOLDS_SOCKET.test(source ?? '')),
            ),
        )
        .map((service) =>
          error(
            service,
            'It can reach the socket of the engine: whoever gets into this container has the whole host. Botwarden needs no socket.',
            'Take the mount (or use_api_socket) out.',
          ),
        ),
  },
  {
    code: 'SECRET_IN_ENVIRONMENT',
    about: 'a secret in the environment and not in a file',
    find: ({ services, words }) =>
      services.flatMap((service) =>
        secretsIn(service.environment).map((key) => {
          const happens = `${key} stands in its environment: ${words.shownBy} shows it, and every process and crash report in the container has it.`;
          const mend = `Put it into a file, mount that as a secret, and set ${key}_FILE, which Botwarden and Postgres read; have a program that cannot read it from the file.`;
          return ADDRESSES.has(key) && !URL_WITH_PASSWORD.test(String(service.environment?.[key]))
            ? warning(service, `${happens} Such an address is a password.`, mend)
            : error(service, happens, mend);
        }),
      ),
  },
  {
    code: 'SECRET_IN_COMMAND',
    about: 'a secret on a command line',
    find: ({ services, words }) =>
      services
        .filter((service) =>
          [...commandLine(service), ...(service.healthcheck?.test ?? [])].some(
            (word) => URL_WITH_PASSWORD.test(word) || OPTION_WITH_SECRET.test(word),
          ),
        )
        .map((service) =>
          error(
            service,
            `A password stands on its command line or in its health check: ${words.shownBy} and every list of processes show it.`,
            'Let the program read it from a file that is mounted as a secret.',
          ),
        ),
  },
  {
    code: 'SECRET_IN_IMAGE',
    about: 'a secret as build argument',
    platforms: ['compose'],
    find: ({ services }) =>
      services.flatMap((service) =>
        secretsIn(service.build?.args).map((key) =>
          error(
            service,
            `${key} is a build argument: it stays readable in the history of the image.`,
            'Use a build secret (RUN --mount=type=secret), or give it at run time as a file.',
          ),
        ),
      ),
  },
  {
    code: 'DEVELOPMENT_SECRETS',
    about: 'secrets that everyone knows',
    platforms: ['compose'],
    find: ({ secretFiles, production }) => {
      if (!secretFiles.some((file) => /(^|\/)docker\/secrets\/development\//.test(file))) return [];
      return [
        (production ? error : warning)(
          null,
          'Its secrets are those for trying out, which everyone knows: whoever reaches a port can close positions or write to the database.',
          'Make your own, in a folder outside the checkout, and set SECRETS_DIR to it.',
        ),
      ];
    },
  },
  {
    code: 'PORT_PUBLISHED',
    about: 'a port that others can reach',
    find: ({ services, bots, sidecars, databases, words, platform }) =>
      services.flatMap((service) =>
        (service.ports ?? [])
          .filter(({ host_ip }) => !isLoopback(host_ip))
          .map((port) => {
            const happens = `Port ${port.target} is published on ${port.host_ip || 'every address of the host'}, past its firewall`;
            return [...bots, ...sidecars, ...databases].includes(service)
              ? error(service, `${happens}: others can reach what only this stack should.`, words.reach)
              : warning(
                  service,
                  `${happens}: others can reach it.`,
                  platform === 'kubernetes'
                    ? `${words.reach} Or put a reverse proxy with authentication in front.`
                    : `Publish it on the loopback only: "127.0.0.1:${port.published ?? port.target}:${port.target}", and put a reverse proxy with authentication in front.`,
                );
          }),
      ),
  },
  {
    code: 'HOST_NAMESPACE',
    about: 'network or processes of the host',
    find: ({ services }) =>
      services.flatMap((service) =>
        (['network_mode', 'pid'] as const)
          .filter((key) => service[key] === 'host')
          .map((key) =>
            error(
              service,
              key === 'pid'
                ? 'It sees, and may end, the processes of the host; its own init is not the first of them.'
                : 'It has the network of the host: every port it listens on is open to whoever reaches the host.',
              service.pod === undefined
                ? `Take ${key} out.`
                : `Take ${key === 'pid' ? 'hostPID' : 'hostNetwork'} out.`,
            ),
          ),
      ),
  },
  {
    code: 'IMAGE_MOVES',
    about: 'an image without a version',
    find: ({ services, production }) =>
      services.flatMap((service) => {
        const { image, build } = service;
        // What is built here is what stands here.
        if (!image || build || image.includes('@sha256:')) return [];
        const tag = /:([^/:]+)$/.exec(image)?.[1];
        if (tag !== undefined && tag !== 'latest') return [];
        return [
          (production ? error : warning)(
            service,
            `${image} is whatever was newest when it was pulled: the next deploy may bring another program, and none can bring this one back.`,
            'Name a version, best with its digest.',
          ),
        ];
      }),
  },
  {
    code: 'MISBEHAVIOUR_ALLOWED',
    about: 'the switch with which the reference bot can be made to fail',
    find: ({ services }) =>
      services
        .filter(
          (service) =>
            variable(service, 'ALLOW_MISBEHAVIOUR') !== undefined ||
            variable(service, 'MISBEHAVE') !== undefined,
        )
        .map((service) =>
          error(
            service,
            'Whoever reaches its port can make it hang, crash or lie.',
            'Take ALLOW_MISBEHAVIOUR and MISBEHAVE out; they are for trying things out.',
          ),
        ),
  },
];

const SOCKET = /\/(docker|containerd|podman|crio)\.sock$/;
/** Folders of the host that have the socket somewhere in them. */
const HOLDS_SOCKET = /^(\/|\/run|\/var|\/var\/run)\/?$/;

const SECRET_NAME =
  /(^|_)(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|(API|ACCESS|SECRET|PRIVATE|EXCHANGE|SIGNING|ENCRYPTION)_*KEY|MNEMONIC|SEED_PHRASE|CREDENTIALS?)$/i;
const URL_WITH_PASSWORD = /[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;
const OPTION_WITH_SECRET = /(^|\s)--?[a-z-]*(password|passphrase|token|secret|api-?key)=[^\s$]/i;
/** `TOKEN=true` is a switch. */
const SWITCH = /^(true|false|yes|no|on|off|[01])$/i;

/** Variables of the sidecar that are secret because of what their address can do. */
const ADDRESSES: ReadonlySet<string> = new Set(
  VARIABLES.filter(
    (one: Variable) => one.secret === true && /_URL$/.test(one.name) && one.name !== 'DATABASE_URL',
  ).map(({ name }) => name),
);

/** The names of those whose value is a secret, by the name or by the look of the value. */
function secretsIn(from: Service['environment']): readonly string[] {
  return Object.entries(from ?? {})
    .filter(([key, value]) => {
      const given = value === null || value === undefined ? '' : String(value);
      if (given === '' || SWITCH.test(given)) return false;
      return SECRET_NAME.test(key) || ADDRESSES.has(key) || URL_WITH_PASSWORD.test(given);
    })
    .map(([key]) => key);
}

const isLoopback = (ip: string | null | undefined): boolean =>
  ip !== null && ip !== undefined && (ip.startsWith('127.') || ip === '::1' || ip === '[::1]');
