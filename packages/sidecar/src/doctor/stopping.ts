import type { Finding, Rule } from './finding.ts';
import { graceMs, type Service, seconds, spanMs, variable } from './model.ts';
import { dependsOn, graceFitsDrain, graceFitsGate, type Pair, type Stack } from './roles.ts';

// Whether every way of stopping leaves the bot flat.

/** The ways in which a person or a host stops a bot; those that give no time at all no stack can mend. */
const stopsOf = (bot: Service) => ({
  inOrder: ['docker compose stop', 'docker compose down'],
  botFirst: [
    'docker compose restart',
    `docker compose stop ${bot.name}`,
    `docker compose restart ${bot.name}`,
    `docker compose up -d (after a change of ${bot.name})`,
    'docker compose up -d --force-recreate',
    `docker stop ${bot.name}`,
    `docker restart ${bot.name}`,
    `docker kill -s TERM ${bot.name}`,
    'shutdown or reboot of the host',
  ],
});

/** Every rule about stopping. */
export const stopping: readonly Rule<Stack>[] = [
  noSidecar,
  strays,
  ...forPairs([
    noGate,
    order,
    restartWithBot,
    deadlock,
    sidecarGrace,
    botGrace,
    gateTimeout,
    drainToken,
    botToken,
    stopSignals,
    databaseOrder,
    receipts,
  ]),
];

function forPairs(rules: ReadonlyArray<(pair: Pair, stack: Stack) => readonly Finding[]>): Rule<Stack>[] {
  return rules.map((rule) => (stack) => stack.pairs.flatMap((pair) => rule(pair, stack)));
}

function noSidecar({ pairs, strays }: Stack): Finding[] {
  if (pairs.length + strays.length > 0) return [];
  return [
    {
      code: 'NO_SIDECAR',
      severity: 'error',
      service: null,
      happens:
        'No service has a BOT_URL that leads to another one: nothing watches a bot, and nothing closes its positions when it is stopped.',
      mend: 'Add the sidecar of compose.yaml with BOT_URL set to the address of the bot.',
      leavesOpen: ['every way of stopping'],
    },
  ];
}

function strays({ strays }: Stack): Finding[] {
  return strays.map(({ name }) => ({
    code: 'BOT_NOT_IN_STACK',
    severity: 'warning',
    service: name,
    happens:
      'Its BOT_URL names no service of this stack: how that bot is stopped cannot be looked at, and Compose does not stop it after the sidecar.',
    mend: 'Run the bot in the same stack, or look at its own with this command too.',
  }));
}

function noGate(pair: Pair): Finding[] {
  const { sidecar, bot, gated } = pair;
  if (gated) return [];
  const { inOrder, botFirst } = stopsOf(bot);
  const sidecarFirst = sidecar.depends_on?.[bot.name] !== undefined && graceFitsDrain(pair);
  return [
    {
      code: 'NO_GATE',
      severity: 'error',
      service: bot.name,
      happens:
        'Nothing shows that it runs under hold-until-flat. Whoever stops it without stopping the sidecar first ends it with its positions open, and a bot that hangs is not restarted.',
      mend: 'Make ["hold-until-flat"] the ENTRYPOINT of its image, or its entrypoint here together with its command. Where the image has it, set GATE_TIMEOUT here.',
      leavesOpen: sidecarFirst ? botFirst : [...inOrder, ...botFirst],
    },
  ];
}

function order({ sidecar, bot, gated }: Pair, { services }: Stack): Finding[] {
  if (sidecar.depends_on?.[bot.name] !== undefined) return [];
  const severity = gated ? 'warning' : 'error';
  const mend = `Let ${sidecar.name} depend on ${bot.name} with condition service_started, and not the other way round.`;
  if (dependsOn(services, bot, sidecar)) {
    return [
      {
        code: 'DEPENDS_ON_WRONG_WAY',
        severity,
        service: bot.name,
        happens: `It depends on ${sidecar.name}, so Compose stops it first, and the sidecar only when there is nothing left to close.`,
        mend,
        ...(gated ? {} : { leavesOpen: stopsOf(bot).inOrder }),
      },
    ];
  }
  return [
    {
      code: 'DEPENDS_ON_MISSING',
      severity,
      service: sidecar.name,
      happens: `It does not depend on ${bot.name}, so Compose stops both at the same time.`,
      mend,
      ...(gated ? {} : { leavesOpen: stopsOf(bot).inOrder }),
    },
  ];
}

function restartWithBot({ sidecar, bot }: Pair): Finding[] {
  if (sidecar.depends_on?.[bot.name]?.restart !== true) return [];
  return [
    {
      code: 'DEPENDS_ON_RESTART',
      severity: 'error',
      service: sidecar.name,
      happens: `Compose stops and starts it whenever it replaces ${bot.name}; on \`docker compose restart ${bot.name}\` only after the new bot has started, which the sidecar then drains and leaves halted.`,
      mend: `Take \`restart: true\` out of depends_on.${bot.name}.`,
    },
  ];
}

function deadlock({ sidecar, bot }: Pair, { services }: Stack): Finding[] {
  const asksSidecar = (bot.healthcheck?.test ?? []).some((word) => word.includes(`//${sidecar.name}`));
  const found: Finding[] = [];
  if (asksSidecar && sidecar.depends_on?.[bot.name]?.condition === 'service_healthy') {
    found.push({
      code: 'DEPENDS_ON_DEADLOCK',
      severity: 'error',
      service: sidecar.name,
      happens: `It waits until ${bot.name} is healthy, which asks the sidecar whether it is: neither ever starts.`,
      mend: `Use condition service_started in depends_on.${bot.name}.`,
    });
  }
  if (bot.depends_on?.[sidecar.name]?.condition === 'service_healthy' && dependsOn(services, sidecar, bot)) {
    found.push({
      code: 'DEPENDS_ON_DEADLOCK',
      severity: 'error',
      service: bot.name,
      happens: `It waits until ${sidecar.name} is healthy, which waits for the bot: neither ever starts.`,
      mend: `Take ${sidecar.name} out of its depends_on.`,
    });
  }
  return found;
}

function sidecarGrace(pair: Pair): Finding[] {
  const { sidecar, bot, gated, drainTimeoutMs } = pair;
  const grace = graceMs(sidecar);
  const found: Finding[] = [];
  if (!graceFitsDrain(pair)) {
    found.push({
      code: 'SIDECAR_GRACE_TOO_SHORT',
      severity: 'error',
      service: sidecar.name,
      happens: `It is killed ${seconds(grace)} after SIGTERM, in the middle of a drain that may take ${seconds(drainTimeoutMs)}.`,
      mend: `Set stop_grace_period to ${seconds(drainTimeoutMs + 5000)} or more, or DRAIN_TIMEOUT to less.`,
      ...(gated ? {} : { leavesOpen: stopsOf(bot).inOrder }),
    });
  }
  const told = spanMs(variable(sidecar, 'STOP_GRACE_PERIOD') ?? '');
  if (told !== undefined && told > grace) {
    found.push({
      code: 'GRACE_NOT_AS_TOLD',
      severity: 'error',
      service: sidecar.name,
      happens: `It is told that it has ${seconds(told)} to stop (STOP_GRACE_PERIOD), and has ${seconds(grace)} (stop_grace_period): what it checks at its start is wrong.`,
      mend: 'Give both the same value.',
    });
  }
  return found;
}

function botGrace(pair: Pair): Finding[] {
  const { bot, gated, gateTimeoutMs, killAfterMs } = pair;
  if (!gated || graceFitsGate(pair)) return [];
  return [
    {
      code: 'BOT_GRACE_TOO_SHORT',
      severity: 'error',
      service: bot.name,
      happens: `It is killed ${seconds(graceMs(bot))} after SIGTERM, while its gate may hold that for ${seconds(gateTimeoutMs)} and wait ${seconds(killAfterMs)} more.`,
      mend: `Set stop_grace_period to ${seconds(gateTimeoutMs + killAfterMs)} or more (GATE_TIMEOUT and KILL_AFTER), or GATE_TIMEOUT to less.`,
      leavesOpen: stopsOf(bot).botFirst,
    },
  ];
}

function gateTimeout({ bot, sidecar, gated, gateTimeoutMs, drainTimeoutMs }: Pair): Finding[] {
  if (!gated || gateTimeoutMs >= drainTimeoutMs) return [];
  return [
    {
      code: 'GATE_SHORTER_THAN_DRAIN',
      severity: 'error',
      service: bot.name,
      happens: `Its gate passes SIGTERM on after ${seconds(gateTimeoutMs)}, while ${sidecar.name} may still be closing for up to ${seconds(drainTimeoutMs)}.`,
      mend: `Set GATE_TIMEOUT to ${seconds(drainTimeoutMs + 10_000)} or more, or DRAIN_TIMEOUT to less.`,
      leavesOpen: stopsOf(bot).botFirst,
    },
  ];
}

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

function drainToken({ sidecar, bot, gated }: Pair): Finding[] {
  if (!gated) return [];
  const [there, here] = [secretOf(sidecar, 'DRAIN_TOKEN'), secretOf(bot, 'DRAIN_TOKEN')];
  if (there !== undefined && there === here) return [];
  return [
    {
      code: 'DRAIN_TOKEN_MISSING',
      severity: 'warning',
      service: there === undefined ? sidecar.name : bot.name,
      happens:
        'The sidecar refuses the drain that the gate asks for, since they have not the same DRAIN_TOKEN. The gate then closes through the bot alone: without a receipt, an alert, an emergency call or FLAT_CHECK_SQL.',
      mend: `Give ${sidecar.name} and ${bot.name} the same DRAIN_TOKEN_FILE.`,
    },
  ];
}

function botToken({ sidecar, bot }: Pair): Finding[] {
  const [there, here] = [secretOf(sidecar, 'BOT_TOKEN'), secretOf(bot, 'BOT_TOKEN')];
  if (here === undefined || there === here) return [];
  return [
    {
      code: 'BOT_TOKEN_DIFFERS',
      severity: 'error',
      service: sidecar.name,
      happens: `It has not the BOT_TOKEN that ${bot.name} has: its call to close the positions is refused.`,
      mend: `Give ${sidecar.name} and ${bot.name} the same BOT_TOKEN_FILE.`,
      leavesOpen: ['every way of stopping'],
    },
  ];
}

function stopSignals({ sidecar, bot, gated }: Pair): Finding[] {
  const bad = (service: Service, allowed: readonly string[]): Finding[] => {
    const given = service.stop_signal?.replace(/^SIG/, '');
    if (given === undefined || allowed.includes(given)) return [];
    return [
      {
        code: 'STOP_SIGNAL',
        severity: 'error',
        service: service.name,
        happens: `It is stopped with ${service.stop_signal}, which does not make it close its positions.`,
        mend: 'Take stop_signal out: SIGTERM is right.',
        leavesOpen: ['every way of stopping'],
      },
    ];
  };
  return [...bad(sidecar, ['TERM', 'INT']), ...(gated ? bad(bot, ['TERM', 'INT', 'HUP', 'QUIT']) : [])];
}

/** The database of a bot, by its image. */
const isPostgres = ({ image }: Service): boolean =>
  /(^|[/_-])(postgres|postgis|timescaledb)/.test(image ?? '');

function databaseOrder({ bot }: Pair, { services }: Stack): Finding[] {
  return services
    .filter((database) => isPostgres(database) && !dependsOn(services, bot, database))
    .map((database) => ({
      code: 'DATABASE_STOPS_TOO_EARLY',
      severity: 'warning',
      service: bot.name,
      happens: `It does not depend on ${database.name}, so Compose may stop the database while positions are being closed, and nothing can put that on record or prove it.`,
      mend: `Let ${bot.name} depend on ${database.name} with condition service_healthy.`,
    }));
}

function receipts({ sidecar }: Pair): Finding[] {
  const log = variable(sidecar, 'DRAIN_LOG') ?? '/var/lib/botwarden/drains.jsonl';
  const kept = (sidecar.volumes ?? []).some(
    ({ source, target, type }) =>
      type !== 'tmpfs' && source && target && log.startsWith(`${target.replace(/\/$/, '')}/`),
  );
  if (kept) return [];
  return [
    {
      code: 'RECEIPTS_NOT_KEPT',
      severity: 'warning',
      service: sidecar.name,
      happens: `${log} is on no named volume: the receipts are lost when its container is replaced, and a new sidecar cannot know that a drain was never ended or that the bot was left halted.`,
      mend: 'Mount a named volume at /var/lib/botwarden.',
    },
  ];
}
