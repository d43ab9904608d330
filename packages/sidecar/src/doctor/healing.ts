import type { Finding, Rule } from './finding.ts';
import type { Service } from './model.ts';
import type { Pair, Stack } from './roles.ts';

// Whether what crashes or hangs comes back, and whether its health can be known.

/** Every rule about coming back. */
export const healing: readonly Rule<Stack>[] = [
  ({ pairs }) =>
    pairs.flatMap(({ sidecar, bot }) => [...restartPolicy(bot, 'bot'), ...restartPolicy(sidecar, 'sidecar')]),
  ({ pairs }) => pairs.flatMap(namespaces),
  ({ pairs }) => pairs.flatMap(({ sidecar, bot }) => [bot, sidecar].flatMap(init)),
  ({ services }) => services.flatMap(mainProcess),
  ({ pairs }) => pairs.flatMap(({ sidecar, bot }) => [bot, sidecar].flatMap(healthCheckMissing)),
  ({ services }) => services.flatMap(healthCheckDeaf),
  ({ pairs }) => pairs.flatMap(sidecarJudgedByBot),
];

function restartPolicy(service: Service, role: 'bot' | 'sidecar'): Finding[] {
  const policy = service.restart ?? service.deploy?.restart_policy?.condition ?? 'no';
  if (['always', 'unless-stopped', 'any'].includes(policy)) return [];
  const never = policy === 'no' || policy === 'none';
  const down =
    role === 'bot'
      ? 'a bot that crashed, or that the gate ended because it hung, stays down'
      : 'a sidecar that crashed stays down, and nothing watches or drains the bot';
  return [
    {
      code: never ? 'NO_RESTART_POLICY' : 'RESTART_POLICY_GIVES_UP',
      severity: never ? 'error' : 'warning',
      service: service.name,
      happens: never
        ? `It has no restart policy: ${down}.`
        : `Its restart policy is ${policy}: when it ends with 0, after too many tries, or when the host comes back, ${down}.`,
      mend: 'Set restart: unless-stopped.',
    },
  ];
}

function namespaces({ sidecar, bot }: Pair): Finding[] {
  return [sidecar, bot].flatMap((service) => {
    const other = service === sidecar ? bot : sidecar;
    const shared = (['pid', 'ipc', 'network_mode'] as const).filter((key) => {
      const value = service[key];
      return (
        value === `service:${other.name}` ||
        (other.container_name && value === `container:${other.container_name}`)
      );
    });
    return shared.map(
      (key): Finding => ({
        code: 'SHARED_NAMESPACE',
        severity: 'error',
        service: service.name,
        happens: `It lives in a namespace of ${other.name} (${key}): it goes down with it, and cannot start again until that is back.`,
        mend: `Take ${key} out; the two meet over a network of the stack.`,
      }),
    );
  });
}

const INITS = /(^|\/)(tini|tini-static|dumb-init|catatonit|docker-init|s6-svscan|init)$/;

function init(service: Service): Finding[] {
  if (service.init === true) return [];
  const [first = ''] = [...(service.entrypoint ?? []), ...(service.command ?? [])];
  if (INITS.test(first)) return [];
  return [
    {
      code: 'NO_INIT',
      severity: 'warning',
      service: service.name,
      happens:
        'It has no init: what its health checks and its own children leave stays behind as zombies, until no process can be started any more.',
      mend: 'Set init: true.',
    },
  ];
}

/** Programs that take SIGTERM for themselves and do not hand it on. */
const SWALLOWS = /(^|\/)(npm|npx|pnpm|yarn|uv|poetry|pipenv)$/;

function mainProcess(service: Service): Finding[] {
  const line = [...(service.entrypoint ?? []), ...(service.command ?? [])].filter(
    (word) => !/hold-until-flat$|^--$/.test(word) && !INITS.test(word),
  );
  const [first = '', second = '', third = ''] = line;
  const shell = /(^|\/)(ba|da|a)?sh$/.test(first) && /^-[a-z]*c$/.test(second) && !/\bexec\b/.test(third);
  if (!shell && !SWALLOWS.test(first)) return [];
  return [
    {
      code: 'SIGNAL_SWALLOWED',
      severity: 'warning',
      service: service.name,
      happens: `Its process is ${shell ? `${first} ${second}` : first}, which does not hand SIGTERM on: what it runs is killed at the end of the grace period.`,
      mend: 'Run the program itself, in exec form, or put `exec` before it.',
    },
  ];
}

function healthCheckMissing(service: Service): Finding[] {
  const { healthcheck } = service;
  const off = healthcheck?.disable === true || healthcheck?.test?.[0] === 'NONE';
  if (healthcheck?.test && !off) return [];
  return [
    {
      code: 'NO_HEALTHCHECK',
      severity: 'warning',
      service: service.name,
      happens: off
        ? 'Its health check is switched off: `docker ps` and `depends_on: condition: service_healthy` cannot know how it is.'
        : 'It has no health check here: unless its image has one, `docker ps` and `depends_on: condition: service_healthy` cannot know how it is.',
      mend: 'Add a healthcheck with curl -fsS --max-time 3, against the /readyz of the sidecar for the bot, /ping for the sidecar itself.',
    },
  ];
}

function healthCheckDeaf(service: Service): Finding[] {
  const line = (service.healthcheck?.test ?? []).join(' ');
  if (!/\bcurl\b/.test(line)) return [];
  const found: Finding[] = [];
  if (!/\s(--fail\b|--fail-with-body\b|-[a-zA-Z]*f)/.test(line)) {
    found.push({
      code: 'HEALTHCHECK_ALWAYS_PASSES',
      severity: 'error',
      service: service.name,
      happens:
        'Its health check calls curl without -f, which ends with 0 on a 503 too: it is healthy as long as anything answers.',
      mend: 'Use curl -fsS --max-time 3.',
    });
  }
  if (!/\s(--max-time|-[a-zA-Z]*m)\b/.test(line)) {
    found.push({
      code: 'HEALTHCHECK_WITHOUT_LIMIT',
      severity: 'warning',
      service: service.name,
      happens:
        'Its health check calls curl without --max-time: one that hangs is a process more with every interval, until the engine ends it.',
      mend: 'Use curl -fsS --max-time 3.',
    });
  }
  return found;
}

function sidecarJudgedByBot({ sidecar }: Pair): Finding[] {
  const path = /\/(livez|readyz|startupz|healthz)\b/.exec((sidecar.healthcheck?.test ?? []).join(' '))?.[0];
  if (path === undefined) return [];
  return [
    {
      code: 'SIDECAR_HEALTH_IS_BOTS',
      severity: 'warning',
      service: sidecar.name,
      happens: `Its own health check asks ${path}, which is about the bot: whatever restarts unhealthy containers restarts the sidecar when the bot is ill.`,
      mend: 'Ask /ping.',
    },
  ];
}
