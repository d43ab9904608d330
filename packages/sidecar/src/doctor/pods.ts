import { parseDuration } from '@botwarden/probes';
import { stopsOf } from './commands.ts';
import { error, type Found, inPairs, type Rule, warning } from './finding.ts';
import { type Service, seconds, variable } from './model.ts';
import type { Pair } from './roles.ts';

/** What a kubelet does with a pod: in which order it ends containers, and when it restarts one. */
export const pods: readonly Rule[] = [
  {
    code: 'SIDECAR_NOT_NATIVE',
    about: 'the sidecar of a pod ends at the same time as the bot',
    platforms: ['kubernetes'],
    find: inPairs((pair, stack) => {
      const { sidecar, bot, gate } = pair;
      if (sidecar.pod?.native === true && together(pair)) return [];
      const happens = together(pair)
        ? 'It is an ordinary container of the pod: it gets SIGTERM at the same moment as the bot, and may be gone before the bot is flat.'
        : 'It is in another pod than the bot: whatever stops that pod leaves the bot without a drain that is recorded and proven.';
      const mend =
        'Make it a native sidecar in the pod of the bot: under initContainers, with restartPolicy: Always. Then it ends after the bot.';
      return [
        gate === 'shown'
          ? warning(sidecar, happens, mend)
          : error(sidecar, happens, mend, stopsOf(bot, stack).botFirst),
      ];
    }),
  },
  {
    code: 'POD_GRACE_TOO_SHORT',
    about: 'the pod is killed before the bot is flat',
    platforms: ['kubernetes'],
    find: inPairs((pair, stack) => {
      const { sidecar, bot, gate, gateTimeoutMs, killAfterMs, drainTimeoutMs } = pair;
      const { pod } = bot;
      if (pod === undefined) return [];
      const holds = gate === 'absent' ? 0 : gateTimeoutMs + killAfterMs;
      const needed = holds + (together(pair) ? drainTimeoutMs + 5000 : 0);
      if (pod.graceMs >= needed) return [];
      const enough = `Set terminationGracePeriodSeconds to ${Math.ceil(needed / 1000)} or more: GATE_TIMEOUT, KILL_AFTER, and for the sidecar, which is told to end after the bot, DRAIN_TIMEOUT and 5 s.`;
      return [
        pod.graceMs < holds
          ? error(
              bot,
              `Its pod is killed ${seconds(pod.graceMs)} after the first signal, while its gate may hold that for ${seconds(gateTimeoutMs)} and wait ${seconds(killAfterMs)} more.`,
              enough,
              stopsOf(bot, stack).botFirst,
            )
          : error(
              sidecar,
              `When the gate has used all of its ${seconds(holds)}, ${seconds(pod.graceMs - holds)} are left to a sidecar that may drain for ${seconds(drainTimeoutMs)}: it is killed in the middle, with no receipt of how it ended.`,
              enough,
              stopsOf(bot, stack).botFirst,
            ),
      ];
    }),
  },
  {
    code: 'TWO_BOTS_AT_ONCE',
    about: 'a rollout starts the new bot beside the old one',
    platforms: ['kubernetes'],
    find: ({ bots }) =>
      bots
        .filter(({ pod }) => pod?.strategy != null && pod.strategy !== 'Recreate')
        .map((bot) =>
          error(
            bot,
            `Its Deployment has the strategy ${bot.pod?.strategy}: on every change the new bot trades beside the old one.`,
            'Set strategy: { type: Recreate }.',
          ),
        ),
  },
  {
    code: 'EVICTED_WITHOUT_ASKING',
    about: 'the pod of the bot may be evicted at any time',
    platforms: ['kubernetes'],
    find: ({ bots }) =>
      bots
        .filter(({ pod }) => pod?.guarded === false)
        .map((bot) =>
          warning(
            bot,
            'No PodDisruptionBudget keeps its pod: whoever drains the node, an autoscaler too, stops the bot when it suits the node.',
            'Add a PodDisruptionBudget with maxUnavailable: 0 over its labels. Before the node goes, scale the Deployment to 0: that drains.',
          ),
        ),
  },
  {
    code: 'LIVENESS_MEANS_ANOTHER',
    about: 'the kubelet restarts the bot for what no restart mends, or never',
    platforms: ['kubernetes'],
    find: inPairs((pair) => {
      const { bot, sidecar } = pair;
      const { liveness } = bot.pod ?? { liveness: null };
      const mend = `Set livenessProbe: { httpGet: { path: /livez, port: ${portOf(sidecar)} } }.`;
      if (!together(pair)) return [];
      if (liveness === null)
        return [
          warning(
            bot,
            'It has no liveness probe: a bot that hangs is restarted by its gate alone, and not at all where the gate hangs with it.',
            mend,
          ),
        ];
      if (liveness.path === '/livez' && liveness.port === portOf(sidecar)) return [];
      return [
        error(
          bot,
          `Its liveness probe asks ${liveness.path ?? 'something else'} and not /livez of the sidecar: the kubelet restarts it also for what no restart mends, such as a database that is down, and in the middle of a drain.`,
          mend,
        ),
      ];
    }),
  },
  {
    code: 'STARTUP_GIVES_UP',
    about: 'the kubelet restarts a bot that is still starting',
    platforms: ['kubernetes'],
    find: inPairs(({ bot, sidecar }) => {
      const { startup } = bot.pod ?? { startup: null };
      const loads = parseDuration(variable(sidecar, 'STARTUP_GRACE') ?? '') ?? 120_000;
      if (startup === null || startup.patienceMs >= loads) return [];
      return [
        error(
          bot,
          `Its startup probe gives up after ${seconds(startup.patienceMs)}, while it may load for ${seconds(loads)} (STARTUP_GRACE).`,
          'Raise failureThreshold of the startup probe. /livez says when a bot that does not come up is to be restarted.',
        ),
      ];
    }),
  },
  {
    code: 'SIDECAR_LIVENESS_IS_BOTS',
    about: 'the kubelet restarts the sidecar because the bot is ill',
    platforms: ['kubernetes'],
    find: ({ sidecars }) =>
      sidecars
        .filter(({ pod }) => pod?.liveness != null && pod.liveness.path !== '/ping')
        .map((sidecar) =>
          error(
            sidecar,
            `Its liveness probe asks ${sidecar.pod?.liveness?.path ?? 'something else'}, which is about the bot: the kubelet ends the sidecar, in the middle of a drain too, because the bot is ill.`,
            'Ask /ping.',
          ),
        ),
  },
  {
    code: 'NOT_RESTARTED',
    about: 'a pod that nothing brings back',
    platforms: ['kubernetes'],
    find: (stack) =>
      stack.bots
        .filter(({ pod }) => pod?.kind === 'Pod')
        .map(
          (bot): Found =>
            warning(
              bot,
              'It is a bare Pod: when its node goes, or it is deleted, nothing brings it back.',
              'Make it a Deployment with one replica and strategy Recreate.',
            ),
        ),
  },
];

/** Whether bot and sidecar are in one pod. */
const together = ({ sidecar, bot }: Pair): boolean =>
  sidecar.pod !== undefined && sidecar.pod.name === bot.pod?.name;

const portOf = (sidecar: Service): string => variable(sidecar, 'PORT') ?? '9400';
