import { parseDuration } from '@botwarden/probes';
import { everyStop, stopsOf } from './commands.ts';
import { error, type Found, inPairs, type Rule, warning } from './finding.ts';
import { shellBetween, withoutGate } from './gate.ts';
import { commandLine, graceMs, type Service, seconds, variable } from './model.ts';
import {
  dependsOn,
  graceFitsDrain,
  graceFitsGate,
  hostOf,
  isLoopback,
  namesOf,
  type Pair,
  type Stack,
} from './roles.ts';

/** Whether every way of stopping leaves the bot flat. */
export const stopping: readonly Rule[] = [
  {
    code: 'NO_SIDECAR',
    about: 'nothing watches the bot and closes its positions',
    find: (stack) => {
      if (stack.sidecars.length > 0) return [];
      const [bot] = stack.bots;
      return [
        error(
          bot ?? null,
          'No service has a BOT_URL that leads to a bot: nothing watches it, and nothing closes its positions when it is stopped.',
          `Add the sidecar of ${stack.words.example}, with BOT_URL set to the address of the bot.`,
          bot === undefined ? ['every way of stopping'] : everyStop(bot, stack),
        ),
      ];
    },
  },
  {
    code: 'BOT_NOT_IN_STACK',
    about: 'the BOT_URL of a sidecar names no service',
    find: ({ strays }) =>
      strays.map((sidecar) =>
        warning(
          sidecar,
          'Its BOT_URL names no service of this stack: how that bot is stopped cannot be looked at, and nothing stops the two in order.',
          'Run the bot in the same stack, or say which service it is with --bot; where it runs elsewhere, look at its own stack with this command too.',
        ),
      ),
  },
  {
    code: 'NO_GATE',
    about: 'the bot does not run under hold-until-flat',
    find: inPairs((pair, stack) => {
      const { bot, gate } = pair;
      if (gate !== 'absent') return [];
      return [
        error(
          bot,
          'It does not run under hold-until-flat. Whoever stops it without stopping the sidecar first ends it with its positions open, and a bot that hangs is not restarted.',
          `Copy the gate (packages/python/src/botwarden/gate.py) into its image as /usr/local/bin/hold-until-flat and set ${stack.words.gate}, beside what it runs.`,
          openWithoutGate(pair, stack),
        ),
      ];
    }),
  },
  {
    code: 'GATE_UNKNOWN',
    about: 'whether the bot runs under hold-until-flat cannot be known',
    find: inPairs((pair, stack) => {
      const { bot, gate } = pair;
      if (gate !== 'unknown') return [];
      const image = bot.image ?? `${stack.name ?? 'PROJECT'}-${bot.name}`;
      return [
        error(
          bot,
          'What it is started by stands in its image and not in the stack: whether that is hold-until-flat cannot be known from here. If it is not, whoever stops it without stopping the sidecar first ends it with its positions open, and a bot that hangs is not restarted.',
          `${stack.words.look(image)} A gate that is stated is there, or nothing starts.`,
          openWithoutGate(pair, stack),
        ),
      ];
    }),
  },
  {
    code: 'DEPENDS_ON_MISSING',
    about: 'the sidecar does not depend on the bot',
    platforms: ['compose'],
    find: inPairs((pair, stack) => {
      const { sidecar, bot } = pair;
      if (sidecar.depends_on?.[bot.name] !== undefined || dependsOn(stack.services, bot, sidecar)) return [];
      return [
        order(
          pair,
          stack,
          sidecar,
          `It does not depend on ${bot.name}, so Compose stops both at the same time.`,
        ),
      ];
    }),
  },
  {
    code: 'DEPENDS_ON_WRONG_WAY',
    about: 'the bot depends on the sidecar',
    platforms: ['compose'],
    find: inPairs((pair, stack) => {
      const { sidecar, bot } = pair;
      if (!dependsOn(stack.services, bot, sidecar)) return [];
      return [
        order(
          pair,
          stack,
          bot,
          `It depends on ${sidecar.name}, so Compose stops it first, and does not start it where the sidecar cannot.`,
        ),
      ];
    }),
  },
  {
    code: 'DEPENDS_ON_RESTART',
    about: 'Compose restarts the sidecar with the bot',
    platforms: ['compose'],
    find: inPairs(({ sidecar, bot }) => {
      if (sidecar.depends_on?.[bot.name]?.restart !== true) return [];
      return [
        error(
          sidecar,
          `Compose stops and starts it whenever it replaces ${bot.name}; on \`docker compose restart ${bot.name}\` only after the new bot has started, which the sidecar then drains and leaves halted.`,
          `Take \`restart: true\` out of depends_on.${bot.name}; links and \`network_mode: service:${bot.name}\` bring it too.`,
        ),
      ];
    }),
  },
  {
    code: 'DEPENDS_ON_DEADLOCK',
    about: 'bot and sidecar wait for each other',
    platforms: ['compose'],
    find: inPairs(({ sidecar, bot }) => {
      const waits = sidecar.depends_on?.[bot.name]?.condition;
      const found: Found[] = [];
      if (waits !== undefined && waits !== null && waits !== 'service_started') {
        const asks = (bot.healthcheck?.test ?? []).join(' ');
        const own = asks !== '' && !namesOf(sidecar).some((name) => asks.includes(`//${name}`));
        found.push(
          error(
            sidecar,
            own || waits !== 'service_healthy'
              ? `It waits for ${bot.name} (${waits}): a bot that does not get that far has nobody who watches, restarts or drains it.`
              : `It waits until ${bot.name} is healthy, whose health check asks the sidecar: neither ever comes up.`,
            `Use condition service_started in depends_on.${bot.name}.`,
          ),
        );
      }
      if (
        bot.depends_on?.[sidecar.name]?.condition === 'service_healthy' &&
        botsHealth(sidecar) !== undefined
      ) {
        found.push(
          error(
            bot,
            `It waits until ${sidecar.name} is healthy, whose health check asks whether the bot is: neither ever comes up.`,
            `Take ${sidecar.name} out of its depends_on.`,
          ),
        );
      }
      return found;
    }),
  },
  {
    code: 'SIDECAR_GRACE_TOO_SHORT',
    about: 'the sidecar is killed in the middle of a drain',
    platforms: ['compose'],
    find: inPairs((pair, stack) => {
      const { sidecar, bot, gate, drainTimeoutMs } = pair;
      if (graceFitsDrain(pair)) return [];
      return [
        error(
          sidecar,
          `It is killed ${seconds(graceMs(sidecar))} after SIGTERM, in the middle of a drain that may take ${seconds(drainTimeoutMs)}.`,
          `Set stop_grace_period to ${seconds(drainTimeoutMs + 5000)} or more (DRAIN_TIMEOUT and 5 s), or DRAIN_TIMEOUT to less.`,
          gate === 'shown' ? undefined : stopsOf(bot, stack).inOrder,
        ),
      ];
    }),
  },
  {
    code: 'GRACE_NOT_AS_TOLD',
    about: 'STOP_GRACE_PERIOD promises more time than there is',
    find: inPairs(({ sidecar }, { words }) => {
      const told = parseDuration(variable(sidecar, 'STOP_GRACE_PERIOD') ?? '');
      const grace = graceMs(sidecar);
      if (told === undefined || told <= grace) return [];
      return [
        error(
          sidecar,
          `It is told that it has ${seconds(told)} to stop (STOP_GRACE_PERIOD), and has ${seconds(grace)} (${words.grace}): what it checks at its start is wrong.`,
          'Give both the same value.',
        ),
      ];
    }),
  },
  {
    code: 'BOT_GRACE_TOO_SHORT',
    about: 'the bot is killed while its gate holds the signal',
    platforms: ['compose'],
    find: inPairs((pair, stack) => {
      const { bot, gate, gateTimeoutMs, killAfterMs } = pair;
      if (gate === 'absent' || graceFitsGate(pair)) return [];
      return [
        error(
          bot,
          `It is killed ${seconds(graceMs(bot))} after SIGTERM, while its gate may hold that for ${seconds(gateTimeoutMs)} and wait ${seconds(killAfterMs)} more.`,
          `Set stop_grace_period to ${seconds(gateTimeoutMs + killAfterMs)} or more (GATE_TIMEOUT and KILL_AFTER), or GATE_TIMEOUT to less.`,
          stopsOf(bot, stack).botFirst,
        ),
      ];
    }),
  },
  {
    code: 'GATE_SHORTER_THAN_DRAIN',
    about: 'the gate gives up before the sidecar does',
    find: inPairs(({ bot, sidecar, gate, gateTimeoutMs, drainTimeoutMs }, stack) => {
      if (gate === 'absent' || gateTimeoutMs > drainTimeoutMs) return [];
      return [
        error(
          bot,
          `Its gate holds a signal for ${seconds(gateTimeoutMs)} (GATE_TIMEOUT), while ${sidecar.name} may be closing for up to ${seconds(drainTimeoutMs)} (DRAIN_TIMEOUT): the bot may be ended in the middle.`,
          `Set GATE_TIMEOUT to ${seconds(drainTimeoutMs + 10_000)} or more and the time that it has to stop with it, or DRAIN_TIMEOUT to less.`,
          stopsOf(bot, stack).botFirst,
        ),
      ];
    }),
  },
  {
    code: 'SPAN_UNREADABLE',
    about: 'a time that the sidecar or the gate cannot read',
    find: inPairs(({ bot, sidecar }) =>
      (
        [
          [sidecar, 'DRAIN_TIMEOUT'],
          [sidecar, 'STOP_GRACE_PERIOD'],
          [sidecar, 'STARTUP_GRACE'],
          [bot, 'GATE_TIMEOUT'],
          [bot, 'KILL_AFTER'],
        ] as const
      )
        .filter(([service, name]) => {
          const value = variable(service, name);
          if (value === undefined) return false;
          return service === bot ? !/^[1-9]\d{0,6}(ms|s|m)$/.test(value) : parseDuration(value) === undefined;
        })
        .map(([service, name]) =>
          error(
            service,
            `${name} is not a time such as 70s or 2m, so it refuses to start; the other times were judged as if it was not set.`,
            `Write ${name} as 250ms, 70s or 2m.`,
          ),
        ),
    ),
  },
  {
    code: 'GATE_CANNOT_REACH_SIDECAR',
    about: 'SIDECAR_URL does not lead to the sidecar',
    find: inPairs(({ bot, sidecar, gate }) => {
      if (gate === 'absent') return [];
      const given = bot.environment?.SIDECAR_URL;
      const url = given === undefined || given === null ? 'http://sidecar:9400' : String(given);
      const host = hostOf(url);
      if (host !== undefined && namesOf(sidecar).includes(host)) return [];
      const inOnePod = sidecar.pod !== undefined && sidecar.pod.name === bot.pod?.name;
      if (host !== undefined && inOnePod && isLoopback(host)) return [];
      return [
        error(
          bot,
          `Its gate asks ${host === undefined ? 'no sidecar' : `a host called ${host}`} (SIDECAR_URL), which is not ${sidecar.name}: a bot that hangs is not restarted, and a stop is drained without a receipt, an alert or FLAT_CHECK_SQL.`,
          `Set SIDECAR_URL to http://${inOnePod ? 'localhost' : sidecar.name}:${variable(sidecar, 'PORT') ?? '9400'}.`,
        ),
      ];
    }),
  },
  {
    code: 'NO_SHARED_NETWORK',
    about: 'bot and sidecar are on no network together',
    platforms: ['compose'],
    find: inPairs(({ bot, sidecar }) => {
      if (bot.network_mode || sidecar.network_mode) return [];
      const networks = Object.keys(sidecar.networks ?? {});
      if (Object.keys(bot.networks ?? {}).some((name) => networks.includes(name))) return [];
      if (!bot.networks && !sidecar.networks) return [];
      return [
        error(
          sidecar,
          `It is on no network with ${bot.name}: neither can reach the other, so nothing is watched and nothing is closed.`,
          `Put ${sidecar.name} and ${bot.name} on one network.`,
          ['every way of stopping'],
        ),
      ];
    }),
  },
  {
    code: 'DRAIN_TOKEN_MISSING',
    about: 'the gate may not ask the sidecar to drain',
    find: inPairs(({ sidecar, bot, gate }, { words }) => {
      if (gate === 'absent') return [];
      const [there, here] = [secretOf(sidecar, 'DRAIN_TOKEN'), secretOf(bot, 'DRAIN_TOKEN')];
      if (there !== undefined && there === here) return [];
      return [
        warning(
          there === undefined ? sidecar : bot,
          'The sidecar refuses the drain that the gate asks for, since they have not the same DRAIN_TOKEN. The gate then closes through the bot alone: without a receipt, an alert, an emergency call or FLAT_CHECK_SQL.',
          `Give ${sidecar.name} and ${bot.name} the same ${words.secret} as DRAIN_TOKEN_FILE.`,
        ),
      ];
    }),
  },
  {
    code: 'BOT_TOKEN_DIFFERS',
    about: 'the sidecar has not the token of the bot',
    find: inPairs(({ sidecar, bot }, stack) => {
      const [there, here] = [secretOf(sidecar, 'BOT_TOKEN'), secretOf(bot, 'BOT_TOKEN')];
      if (here === undefined || there === here) return [];
      return [
        error(
          sidecar,
          `It has not the BOT_TOKEN that ${bot.name} has: its call to close the positions is refused.`,
          `Give ${sidecar.name} and ${bot.name} the same ${stack.words.secret} as BOT_TOKEN_FILE.`,
          everyStop(bot, stack),
        ),
      ];
    }),
  },
  {
    code: 'STOP_SIGNAL',
    about: 'a stop_signal that closes nothing',
    platforms: ['compose'],
    find: inPairs(({ sidecar, bot, gate }, stack) => {
      const bad = (service: Service, allowed: readonly string[]): Found[] => {
        const given = service.stop_signal?.replace(/^SIG/, '');
        if (given === undefined || allowed.includes(given)) return [];
        return [
          error(
            service,
            `It is stopped with ${service.stop_signal}, which does not make it close its positions.`,
            'Take stop_signal out: SIGTERM is right.',
            everyStop(bot, stack),
          ),
        ];
      };
      // SIGQUIT tells the sidecar to give up at once.
      return [
        ...bad(sidecar, ['TERM', 'INT']),
        ...(gate === 'absent' ? [] : bad(bot, ['TERM', 'INT', 'HUP', 'QUIT'])),
      ];
    }),
  },
  {
    code: 'SIGNAL_SWALLOWED',
    about: 'a shell or a package manager keeps SIGTERM to itself',
    find: inPairs(({ sidecar, bot, gate }, stack) =>
      [sidecar, bot].flatMap((service) => {
        const line = withoutGate(commandLine(service));
        const keeps = shellBetween(line) ?? (SWALLOWS.test(line[0] ?? '') ? line[0] : undefined);
        if (keeps === undefined) return [];
        const mend = 'Run the program itself, in exec form, or put `exec` before it.';
        return service === sidecar
          ? [
              error(
                service,
                `Its process is ${keeps}, which does not hand SIGTERM on: it is killed at the end of its grace period without having drained.`,
                mend,
                gate === 'shown' ? undefined : stopsOf(bot, stack).inOrder,
              ),
            ]
          : [
              warning(
                service,
                `Its process is ${keeps}, which does not hand SIGTERM on: what it runs is killed, with whatever it had not written down.`,
                mend,
              ),
            ];
      }),
    ),
  },
  {
    code: 'PRE_STOP_HOOK',
    about: 'a pre_stop hook on bot or sidecar',
    platforms: ['compose'],
    find: inPairs(({ bot, sidecar }) =>
      [bot, sidecar]
        .filter(({ pre_stop }) => (pre_stop ?? []).length > 0)
        .map((service) =>
          warning(
            service,
            'Its pre_stop hook runs on `docker compose stop` and `down` only, not on `up -d`, `docker stop` or a shutdown; and when it fails, nothing is stopped at all.',
            'Leave the closing to the gate, which sees every signal.',
          ),
        ),
    ),
  },
  {
    code: 'BOT_SCALED',
    about: 'more than one container of one bot or sidecar',
    find: inPairs(({ bot, sidecar }, { words }) =>
      [bot, sidecar]
        .filter(({ scale, deploy }) => Math.max(scale ?? 1, deploy?.replicas ?? 1) > 1)
        .map((service) =>
          error(
            service,
            `It runs more than once: each call reaches one of them by chance, so that "flat" may be said of a bot while another holds positions.`,
            words.one,
            ['every way of stopping'],
          ),
        ),
    ),
  },
  {
    code: 'DATABASE_STOPS_TOO_EARLY',
    about: 'the database may be stopped before the bot is flat',
    platforms: ['compose'],
    find: inPairs(({ bot }, { services, databases }) =>
      databases
        .filter((database) => database !== bot && !dependsOn(services, bot, database))
        .map((database) =>
          warning(
            bot,
            `It does not depend on ${database.name}, so Compose may stop the database while positions are being closed, and nothing can put that on record or prove it.`,
            `Let ${bot.name} depend on ${database.name} with condition service_healthy.`,
          ),
        ),
    ),
  },
];

/** Programs that take SIGTERM for themselves and do not hand it on. */
const SWALLOWS = /(^|\/)(npm|npx|pnpm|yarn|uv|poetry|pipenv)$/;

/** What a sidecar alone cannot make safe; all of it where the sidecar is not stopped first, or not given its time. */
function openWithoutGate(pair: Pair, stack: Stack): readonly string[] {
  const { sidecar, bot } = pair;
  const sidecarFirst = sidecar.depends_on?.[bot.name] !== undefined && graceFitsDrain(pair);
  return sidecarFirst ? stopsOf(bot, stack).botFirst : everyStop(bot, stack);
}

/** With a gate in the bot the order of stopping is a second line of defence; without one it is the only one. */
function order({ sidecar, bot, gate }: Pair, stack: Stack, service: Service, happens: string): Found {
  const mend = `Let ${sidecar.name} depend on ${bot.name} with condition service_started, and not the other way round.`;
  return gate === 'shown'
    ? warning(service, happens, mend)
    : error(service, happens, mend, stopsOf(bot, stack).inOrder);
}

/** What a sidecar's own health check asks of the bot; undefined where it asks nothing of it. */
export const botsHealth = (sidecar: Service): string | undefined =>
  /\/(livez|readyz|startupz|healthz)\b/.exec((sidecar.healthcheck?.test ?? []).join(' '))?.[0];

/** Where a service has a secret from, comparable between two; undefined where it has none. */
function secretOf(service: Service, name: string): string | undefined {
  const value = variable(service, name);
  if (value !== undefined) return `value ${value}`;
  const file = variable(service, `${name}_FILE`);
  if (file === undefined) return undefined;
  const mounted = service.secrets?.find(({ source, target }) =>
    [target, `/run/secrets/${target ?? source}`].includes(file),
  );
  return mounted === undefined ? `file ${file}` : `secret ${mounted.source}`;
}
