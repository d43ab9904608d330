import { parseDuration } from '@botwarden/probes';
import { error, inPairs, type Rule, warning } from './finding.ts';
import { hasInit } from './gate.ts';
import { commandLine, type Service, seconds, spanMs, variable } from './model.ts';
import type { Stack } from './roles.ts';
import { botsHealth } from './stopping.ts';

/** Whether what crashes or hangs comes back, and whether its health can be known. */
export const healing: readonly Rule[] = [
  {
    code: 'NO_RESTART_POLICY',
    about: 'what ends stays down',
    find: (stack) =>
      guarded(stack)
        .filter((service) => ['no', 'none'].includes(restartOf(service).policy))
        .map((service) =>
          error(
            service,
            `It has no restart policy: ${staysDown(service, stack)}.`,
            service.pod === undefined ? 'Set restart: unless-stopped.' : 'Set restartPolicy: Always.',
          ),
        ),
  },
  {
    code: 'RESTART_POLICY_GIVES_UP',
    about: 'on-failure does not bring back everything',
    platforms: ['compose'],
    find: (stack) =>
      guarded(stack).flatMap((service) => {
        const { policy, attempts } = restartOf(service);
        if (policy !== 'on-failure') return [];
        const mend = 'Set restart: unless-stopped.';
        return attempts === undefined
          ? [
              warning(
                service,
                `Its restart policy is on-failure: when it ends with 0, and when the engine or the host comes back, ${staysDown(service, stack)}.`,
                mend,
              ),
            ]
          : [
              error(
                service,
                `Its restart policy is on-failure with at most ${attempts} tries: after those, when it ends with 0, and when the engine or the host comes back, ${staysDown(service, stack)}.`,
                mend,
              ),
            ];
      }),
  },
  {
    code: 'SHARED_NAMESPACE',
    about: 'bot or sidecar lives in the namespace of another container',
    platforms: ['compose'],
    find: (stack) =>
      guarded(stack).flatMap((service) =>
        (['pid', 'ipc', 'network_mode'] as const)
          .filter((key) => /^(service|container):/.test(service[key] ?? ''))
          .map((key) =>
            error(
              service,
              `It lives in a namespace of another container (${key}: ${service[key]}): it goes down with that one, and cannot start again by itself.`,
              `Take ${key} out; services of one stack meet over a network.`,
            ),
          ),
      ),
  },
  {
    code: 'NO_INIT',
    about: 'nothing reaps what is left behind',
    platforms: ['compose'],
    find: (stack) =>
      guarded(stack)
        .filter((service) => service.init !== true && !hasInit(commandLine(service)))
        .map((service) =>
          warning(
            service,
            'It has no init: what its health checks and its own children leave stays behind as zombies, until no process can be started any more.',
            'Set init: true.',
          ),
        ),
  },
  {
    code: 'NO_HEALTHCHECK',
    about: 'nobody can ask how it is',
    platforms: ['compose'],
    find: (stack) =>
      [...guarded(stack), ...stack.databases, ...stack.dashboards].flatMap((service) => {
        const { healthcheck } = service;
        const off = healthcheck?.disable === true || healthcheck?.test?.[0] === 'NONE';
        if (healthcheck?.test && !off) return [];
        return [
          warning(
            service,
            off
              ? 'Its health check is switched off: `docker ps`, `up --wait` and `condition: service_healthy` cannot know how it is.'
              : 'It has no health check here: unless its image has one, `docker ps`, `up --wait` and `condition: service_healthy` cannot know how it is.',
            stack.databases.includes(service)
              ? 'Add a healthcheck with pg_isready.'
              : 'Add a healthcheck with curl -fsS --max-time 3: against the /readyz of the sidecar for the bot, /ping for the sidecar itself.',
          ),
        ];
      }),
  },
  {
    code: 'HEALTHCHECK_ALWAYS_PASSES',
    about: 'a health check that passes on a 503',
    platforms: ['compose'],
    find: ({ services }) =>
      services
        .filter((service) => {
          const line = healthLine(service);
          if (/\|\|\s*(true|:|exit\s+0)\b|;\s*(true|exit\s+0)\s*$/.test(line)) return true;
          // What follows a pipe decides instead.
          return (
            CURL.test(line) &&
            !/[^|]\|[^|]/.test(line) &&
            !/\s(--fail\b|--fail-with-body\b|-[a-zA-Z]*f)/.test(line)
          );
        })
        .map((service) =>
          error(
            service,
            'Its health check ends with 0 whatever is answered, as curl without -f does on a 503: it is healthy as long as anything answers.',
            'Use curl -fsS --max-time 3, and no `|| true`.',
          ),
        ),
  },
  {
    code: 'HEALTHCHECK_WITHOUT_LIMIT',
    about: 'a health check that may hang',
    platforms: ['compose'],
    find: ({ services }) =>
      services
        .filter((service) => {
          const line = healthLine(service);
          if (CURL.test(line)) return !/\s(--max-time|-[a-zA-Z]*m)(\b|\d|=)/.test(line);
          return /\bwget\b/.test(line) && !/\s(--timeout|-[a-zA-Z]*T)/.test(line);
        })
        .map((service) =>
          warning(
            service,
            'Its health check sets no limit of its own: one that hangs says nothing until the engine ends it.',
            'Use curl -fsS --max-time 3.',
          ),
        ),
  },
  {
    code: 'SIDECAR_HEALTH_IS_BOTS',
    about: 'the health check of the sidecar is about the bot',
    platforms: ['compose'],
    find: inPairs(({ sidecar }) => {
      const path = botsHealth(sidecar);
      if (path === undefined) return [];
      return [
        warning(
          sidecar,
          `Its own health check asks ${path}, which is about the bot: whatever restarts unhealthy containers restarts the sidecar when the bot is ill.`,
          'Ask /ping.',
        ),
      ];
    }),
  },
  {
    code: 'START_PERIOD_TOO_SHORT',
    about: 'the bot counts as unhealthy while it still may load',
    platforms: ['compose'],
    find: inPairs(({ bot, sidecar }) => {
      const { healthcheck } = bot;
      if (!healthcheck?.test || healthcheck.disable === true) return [];
      const loads = parseDuration(variable(sidecar, 'STARTUP_GRACE') ?? '') ?? 120_000;
      const period = spanMs(healthcheck.start_period ?? '') ?? 0;
      if (period >= loads) return [];
      return [
        warning(
          bot,
          `Its health check counts failures after ${seconds(period)} (start_period), while it may load for ${seconds(loads)} (STARTUP_GRACE of ${sidecar.name}): \`up --wait\` gives up on a bot that is only slow.`,
          `Set start_period to ${seconds(loads)} or more.`,
        ),
      ];
    }),
  },
  {
    code: 'NO_ALERTS',
    about: 'nobody is told when a drain fails or a restart is needed',
    find: ({ sidecars }) =>
      sidecars
        .filter(
          (one) =>
            (variable(one, 'ALERT_WEBHOOK_URL') ?? variable(one, 'ALERT_WEBHOOK_URL_FILE')) === undefined,
        )
        .map((sidecar) =>
          warning(
            sidecar,
            'It tells nobody: that positions may be open, or that the bot needs a person, stands in a log and a receipt alone.',
            'Set ALERT_WEBHOOK_URL_FILE: a Slack or Discord webhook, or any URL that takes JSON.',
          ),
        ),
  },
];

const CURL = /\bcurl\b/;

/** Every bot and every sidecar, once. */
const guarded = ({ bots, sidecars }: Stack): readonly Service[] => [...new Set([...bots, ...sidecars])];

const healthLine = ({ healthcheck }: Service): string =>
  healthcheck?.disable === true ? '' : (healthcheck?.test ?? []).join(' ');

/** What Compose makes of both places where a policy can stand: `restart` goes first. */
function restartOf({ restart, deploy }: Service): { policy: string; attempts: number | undefined } {
  const [policy = 'no', attempts] = (restart ?? '').split(':');
  if (policy !== '') return { policy, attempts: attempts === undefined ? undefined : Number(attempts) };
  const { condition, max_attempts } = deploy?.restart_policy ?? {};
  // There `any` is the default.
  if (deploy?.restart_policy) return { policy: condition ?? 'any', attempts: max_attempts ?? undefined };
  return { policy: 'no', attempts: undefined };
}

const staysDown = (service: Service, { bots }: Stack): string =>
  bots.includes(service)
    ? 'a bot that crashed, or that the gate ended because it hung, stays down'
    : 'the sidecar stays down, and nothing watches or drains the bot';
