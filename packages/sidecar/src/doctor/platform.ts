/** What a stack is written for. */
export type Platform = 'compose' | 'kubernetes';

/** How the same thing is called on each. */
export interface Words {
  /** How long a container has to stop. */
  readonly grace: string;
  /** States that a container runs under the gate. */
  readonly gate: string;
  /** How to see what an image starts. */
  readonly look: (image: string) => string;
  /** Keeps more than one of something from running. */
  readonly one: string;
  /** Keeps a folder. */
  readonly volume: string;
  readonly memory: string;
  /** Gives two containers the same secret. */
  readonly secret: string;
  /** Where a secret in the environment can be read. */
  readonly shownBy: string;
  /** How to look from outside without publishing a port. */
  readonly reach: string;
  /** Where the sidecar is copied from. */
  readonly example: string;
  /** Ways to stop that give no time at all: no stack can make them safe. */
  readonly neverSafe: readonly string[];
}

const inspect = (image: string): string =>
  `See what docker image inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' ${image} says.`;

/** By platform. */
export const WORDS: Readonly<Record<Platform, Words>> = {
  compose: {
    grace: 'stop_grace_period',
    gate: 'entrypoint: ["hold-until-flat"]',
    look: (image) =>
      `${inspect(image)} Then state it: entrypoint: ["hold-until-flat"], and the rest as command, since an entrypoint that is stated sets the image's own CMD aside.`,
    one: 'Run one; a second bot is a service of its own, with its own sidecar.',
    volume: 'a named volume',
    memory: 'mem_limit',
    secret: 'secret',
    shownBy: '`docker inspect`',
    reach:
      'Take ports out; services of one stack reach each other without. From the host: docker compose exec.',
    example: 'compose.yaml',
    neverSafe: ['docker kill', 'docker rm -f', 'docker compose kill', 'docker compose down -t 0'],
  },
  kubernetes: {
    grace: 'terminationGracePeriodSeconds, less what the gate may take before',
    gate: 'command: ["hold-until-flat"]',
    look: (image) =>
      `${inspect(image)} Then state it: command: ["hold-until-flat"], and the rest as args, since a command that is stated sets the image's own entrypoint and CMD aside.`,
    one: 'Set replicas: 1; a second bot is a Deployment of its own, with its own sidecar.',
    volume: 'a PersistentVolumeClaim',
    memory: 'resources.limits.memory',
    secret: 'key of a Secret',
    shownBy: '`kubectl get pod -o yaml`',
    reach: 'Use a Service of type ClusterIP. From outside: kubectl port-forward.',
    example: 'docker/kubernetes',
    neverSafe: [
      'kubectl delete pod --grace-period=0 --force',
      'a node that dies, or that evicts for want of memory or disk',
    ],
  },
};
