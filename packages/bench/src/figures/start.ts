import { startBare } from '../contenders.ts';
import { figureOf, type Measured } from '../figure.ts';
import { type Program, startProgram } from '../processes.ts';
import { ratios } from '../statistics.ts';
import { sidecarEnv, type World } from '../world.ts';

/** From the start of the process to the first 200 on `/ping`, in turns with bare `node:http`. */
export async function start(world: World): Promise<Measured> {
  const rounds = world.quick ? 1 : 30;
  const command = await world.sidecar();
  const env = await sidecarEnv(world, 'start');
  const ours: number[] = [];
  const bare: number[] = [];
  const one = (): Promise<Program> => startProgram({ name: 'the sidecar', command, env, path: '/ping' });
  // The first start reads a cold disk, and writes the compile cache where there is one.
  const first = await one();
  let like: Program | undefined;
  try {
    like = await startBare(first, ['/ping']);
    for (let round = 0; round < rounds; round += 1) {
      world.say(`start, round ${round + 1} of ${rounds}`);
      const program = await one();
      ours.push(program.firstAnswerMs);
      await program.end();
      const other = await startBare(first, ['/ping']);
      bare.push(other.firstAnswerMs);
      await other.end();
    }
  } finally {
    await first.end();
    await like?.end();
  }
  return {
    figures: [
      figureOf('start to the first 200 on /ping', 'ms', ours),
      figureOf('the same of bare node:http', 'ms', bare),
      figureOf('start to the first 200 on /ping, over bare', '', ratios(ours, bare), {
        target: { atMost: 1.8 },
      }),
    ],
  };
}
