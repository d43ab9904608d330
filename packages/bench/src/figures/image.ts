import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Figure, figureOf, type Measured, notMeasured } from '../figure.ts';
import { type Program, startProgram } from '../processes.ts';
import { ratios } from '../statistics.ts';
import type { World } from '../world.ts';

const run = promisify(execFile);
const ROOT = new URL('../../../../', import.meta.url).pathname;
const IMAGE = 'botwarden-bench-sidecar';
const BASE = 'node:24-slim';
const SIZE = 'sidecar image above its base image';

/** The sidecar's image: how much it adds to its base, and its start against bare `node:http` in the base. */
export async function image(world: World): Promise<Measured> {
  try {
    await run('docker', ['info'], { timeout: 20_000 });
  } catch {
    return { figures: [notMeasured(SIZE, 'no Docker engine answers here', { atMost: 15 })] };
  }
  world.say('building the image');
  await run('docker', ['build', '-q', '-t', IMAGE, '-f', 'docker/sidecar/Dockerfile', '.'], { cwd: ROOT });
  try {
    const size = async (name: string): Promise<number> =>
      Number((await run('docker', ['image', 'inspect', '-f', '{{.Size}}', name])).stdout) / 1e6;
    const above = (await size(IMAGE)) - (await size(BASE));
    return { figures: [figureOf(SIZE, 'MB', [above], { target: { atMost: 15 } }), ...(await starts(world))] };
  } finally {
    await run('docker', ['image', 'rm', '-f', IMAGE]);
  }
}

/** In the container, so that what starting a container takes is in neither: one that sleeps, and both started in it. */
async function starts(world: World): Promise<Figure[]> {
  const rounds = world.quick ? 1 : 20;
  const { stdout } = await run('docker', [
    ...['run', '-d', '--rm', '--network', 'host', '--read-only', '--tmpfs', '/tmp', '--entrypoint', 'sleep'],
    ...[IMAGE, '600'],
  ]);
  const container = stdout.trim();
  const bare = `require('node:http').createServer((q, r) => r.end('pong')).listen(+process.env.PORT, '127.0.0.1')`;
  const one = async (env: Record<string, string>, command: readonly string[]): Promise<number> => {
    const flags = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const program: Program = await startProgram({
      name: command.join(' '),
      // The port is known only to startProgram, which puts it into the environment of docker itself.
      command: ['docker', 'exec', '-e', 'PORT', '-e', 'HOST', ...flags, container, ...command],
      path: '/ping',
    });
    await program.end();
    await run('docker', ['exec', container, 'node', '-e', KILL_NODES]);
    return program.firstAnswerMs;
  };
  const [ours, other]: [number[], number[]] = [[], []];
  try {
    for (let round = 0; round < rounds; round += 1) {
      world.say(`start in the image, round ${round + 1} of ${rounds}`);
      ours.push(
        await one({ BOT_URL: 'http://127.0.0.1:1', DRAIN_LOG: '/tmp/drains.jsonl' }, [
          'node',
          '/app/botwarden.mjs',
        ]),
      );
      other.push(await one({}, ['node', '-e', bare]));
    }
  } finally {
    await run('docker', ['rm', '-f', container]);
  }
  return [
    figureOf('start in the image to the first 200 on /ping', 'ms', ours, {
      note: 'with `docker exec`, which is in both',
    }),
    figureOf('the same of bare node:http', 'ms', other),
    figureOf('start in the image, over bare', '', ratios(ours, other), { target: { atMost: 1.8 } }),
  ];
}

/** Ends every other node of the container. */
const KILL_NODES = `for (const pid of require('fs').readdirSync('/proc').filter(Number))
  if (+pid !== process.pid) try {
    if (require('fs').readFileSync('/proc/' + pid + '/comm', 'utf8').startsWith('node')) process.kill(+pid, 'SIGKILL');
  } catch {}`;
