import type { Pod, Service } from './model.ts';
import type { Stack } from './roles.ts';

/** The ways in which a person or a host stops a bot, by what Compose and the engine do then. */
export interface Stops {
  /** Compose stops the sidecar first, when that depends on the bot; Kubernetes has none of these. */
  readonly inOrder: readonly string[];
  /** The bot gets SIGTERM while the sidecar knows nothing of it, or at the same instant as the sidecar. */
  readonly botFirst: readonly string[];
}

/** The ways in which this bot is stopped, as they would be typed. */
export function stopsOf(bot: Service, { name }: Pick<Stack, 'name'>): Stops {
  if (bot.pod !== undefined) return stopsOfPod(bot.pod);
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

function stopsOfPod({ name, kind }: Pod): Stops {
  const target = `${kind.toLowerCase()}/${name}`;
  return {
    inOrder: [],
    botFirst: [
      `kubectl delete pod (of ${target})`,
      `kubectl rollout restart ${target}`,
      `kubectl scale ${target} --replicas=0`,
      `kubectl delete ${target}`,
      `kubectl apply (after a change of ${target})`,
      'kubectl drain NODE, and an autoscaler that does it',
      'a liveness probe that fails',
    ],
  };
}

/** All of them. */
export const everyStop = (bot: Service, stack: Pick<Stack, 'name'>): readonly string[] => {
  const { inOrder, botFirst } = stopsOf(bot, stack);
  return [...inOrder, ...botFirst];
};
