import { spawn } from 'node:child_process';
import { figureOf, type Measured, notMeasured } from '../figure.ts';
import type { World } from '../world.ts';

const ROOT = new URL('../../../../', import.meta.url).pathname;

/** How long the project's own tests take, packages installed; the engine is hidden from them, or not. */
export async function tests(world: World): Promise<Measured> {
  if (world.quick) return { figures: [notMeasured('the tests', 'left out with --quick')] };
  const minutes = async (what: string, env: Record<string, string>): Promise<number> => {
    world.say(`running ${what}`);
    const began = performance.now();
    const child = spawn('npx', ['pnpm@12', 'test'], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) world.say(`expected ${what} to pass, they ended with ${code}`);
    return (performance.now() - began) / 60_000;
  };
  const nowhere = { DOCKER_HOST: 'unix:///nowhere/docker.sock', CI: '' };
  return {
    figures: [
      figureOf(
        'the tests without an engine',
        'min',
        [await minutes('the tests without an engine', nowhere)],
        {
          target: { atMost: 4 },
        },
      ),
      figureOf('the tests with an engine', 'min', [await minutes('the tests with an engine', {})], {
        target: { atMost: 15 },
      }),
    ],
  };
}
