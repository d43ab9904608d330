import type { Service } from './model.ts';
import type { Stack } from './roles.ts';

/** Commands that give no time at all: no stack can make them safe. */
export const NEVER_SAFE: readonly string[] = [
  'docker kill',
  'docker rm -f',
  'docker compose kill',
  'docker compose down -t 0',
];

/** The ways in which a person or a host stops a bot, by what Compose and the engine do then. */
export interface Stops {
  /** Compose stops the sidecar first, when that depends on the bot. */
  readonly inOrder: readonly string[];
  /** The bot gets SIGTERM while the sidecar knows nothing of it, or at the same instant as the sidecar. */
  readonly botFirst: readonly string[];
}

/** The ways in which this bot is stopped, as they would be typed. */
export function stopsOf(bot: Service, { name }: Pick<Stack, 'name'>): Stops {
  const service = bot.name;
  const container = bot.container_name ?? (name === undefined ? service : `${name}-${service}-1`);
  return {
    inOrder: ['docker compose stop', 'docker compose down'],
    botFirst: [
      'docker compose restart',
      `docker compose stop ${service}`,
      `docker compose restart ${service}`,
      `docker compose kill -s TERM ${service}`,
      `docker compose up -d (after a change of ${service})`,
      'docker compose up -d --force-recreate',
      `docker stop ${container}`,
      `docker restart ${container}`,
      'stopping the engine, shutdown or reboot of the host',
    ],
  };
}

/** All of them. */
export const everyStop = (bot: Service, stack: Pick<Stack, 'name'>): readonly string[] => {
  const { inOrder, botFirst } = stopsOf(bot, stack);
  return [...inOrder, ...botFirst];
};
