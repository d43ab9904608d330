import { posix } from 'node:path';
import { error, inPairs, type Rule, warning } from './finding.ts';
import { type Service, variable } from './model.ts';

/** Whether what must last does, and whether what grows is held. */
export const keeping: readonly Rule[] = [
  {
    code: 'RECEIPTS_NOT_KEPT',
    about: 'the receipts of the drains are on no volume',
    find: inPairs(({ sidecar }, { words }) => {
      const log = variable(sidecar, 'DRAIN_LOG') ?? '/var/lib/botwarden/drains.jsonl';
      if (isKept(sidecar, log)) return [];
      return [
        error(
          sidecar,
          `${log} is not on ${words.volume} that it can write to: the receipts are lost when its container is replaced, and a new sidecar cannot know that a drain was never ended or that the bot was left halted.`,
          `Mount ${words.volume} at ${posix.dirname(log)}.`,
        ),
      ];
    }),
  },
  {
    code: 'DATABASE_NOT_KEPT',
    about: 'the database is on no volume',
    find: ({ databases, words }) =>
      databases
        .filter((database) => {
          const data = variable(database, 'PGDATA') ?? '/var/lib/postgresql/data';
          // From 18 on the image keeps it one folder higher.
          return !isKept(database, `${data}/x`) && !isKept(database, '/var/lib/postgresql/x');
        })
        .map((database) =>
          error(
            database,
            `Its data is not on ${words.volume}: it is gone with the container, and FLAT_CHECK_SQL then finds nothing open whatever is open on the exchange.`,
            `Mount ${words.volume} at /var/lib/postgresql/data (from Postgres 18 on at /var/lib/postgresql).`,
          ),
        ),
  },
  {
    code: 'LOGS_UNBOUNDED',
    about: 'logs that fill the disk',
    platforms: ['compose'],
    find: ({ services }) =>
      services
        .filter(({ logging }) => {
          const driver = logging?.driver ?? 'json-file';
          return driver === 'json-file' && !logging?.options?.['max-size'];
        })
        .map((service) =>
          warning(
            service,
            'Its log grows without a bound, unless the engine sets one: a full disk stops the database, and no receipt can be written.',
            'Set logging to { driver: json-file, options: { max-size: 10m, max-file: "5" } }, or driver: local.',
          ),
        ),
  },
  {
    code: 'NO_MEMORY_LIMIT',
    about: 'a bot that may take all memory',
    find: ({ bots, words }) =>
      bots
        .filter(({ mem_limit, deploy }) => !(mem_limit ?? deploy?.resources?.limits?.memory))
        .map((bot) =>
          warning(
            bot,
            'It has no memory limit: when it takes all there is, the host may end the database or the sidecar in its place.',
            `Set ${words.memory} to what it needs at most.`,
          ),
        ),
  },
];

/** Whether a file lies on a named volume or a folder of the host; one without a name does not outlive `down`. */
function isKept({ volumes }: Service, file: string): boolean {
  return (volumes ?? []).some(
    ({ type, source, target, read_only }) =>
      type !== 'tmpfs' &&
      read_only !== true &&
      Boolean(source) &&
      target !== null &&
      target !== undefined &&
      posix.normalize(file).startsWith(`${posix.normalize(target).replace(/\/$/, '')}/`),
  );
}
