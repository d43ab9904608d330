import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { answerOf, type Program, startProgram } from './processes.ts';
import { sidecarEnv, type World } from './world.ts';

const run = promisify(execFile);
const file = (name: string): string => fileURLToPath(new URL(`contenders/${name}`, import.meta.url));
const node = (name: string, ...args: string[]): [string, ...string[]] => [
  process.execPath,
  file(name),
  ...args,
];

/** One who answers `/readyz`, and perhaps `/healthz`, after the same three checks of the same bot and database. */
export interface Contender {
  readonly name: string;
  /** The paths that it is asked for. */
  readonly paths: readonly string[];
  readonly start: (world: World) => Promise<Program>;
}

const BOTH = ['/readyz', '/healthz'];

/** The sidecar, as its image runs it. */
export const sidecar: Contender = {
  name: 'botwarden sidecar',
  paths: BOTH,
  start: async (world) =>
    startProgram({
      name: 'the sidecar',
      command: await world.sidecar(),
      env: await sidecarEnv(world, 'sidecar'),
      path: '/readyz',
    }),
};

const peer = (
  name: string,
  command: [string, ...string[]],
  paths = ['/readyz'],
  path = '/readyz',
): Contender => ({
  name,
  paths,
  start: async (world) => {
    const [bot, postgres] = await Promise.all([world.bot(), world.postgres()]);
    return startProgram({ name, command, env: { BOT_URL: bot.url, DATABASE_URL: postgres.url }, path });
  },
});

/** Everyone beside bare and the sidecar. */
export const OTHERS: readonly Contender[] = [
  peer('botwarden probes on node:http', node('library.ts'), BOTH),
  peer('botwarden probes on Express', node('library.ts', 'express'), BOTH),
  peer('@godaddy/terminus on Express', node('terminus.ts')),
  peer('@nestjs/terminus', node('nestjs.ts')),
  peer('@fastify/under-pressure', node('under-pressure.ts')),
  peer('lightship, told every 5 s', node('lightship.ts'), ['/ready'], '/ready'),
];

/** alexliesenfeld/health, built here; a sentence where that cannot be done. */
export async function goContender(world: World): Promise<Contender | string> {
  const program = `${world.folder}/go-health`;
  try {
    await run('go', ['build', '-trimpath', '-o', program, '.'], { cwd: file('go'), timeout: 300_000 });
  } catch (error) {
    const why =
      error instanceof Error && 'code' in error && error.code === 'ENOENT'
        ? 'there is no Go here'
        : String(error);
    return `alexliesenfeld/health (Go) was left out: ${why.slice(0, 300)}`;
  }
  const name = 'alexliesenfeld/health (Go, one core)';
  return {
    name,
    paths: ['/readyz'],
    start: async () => {
      const [bot, postgres] = await Promise.all([world.bot(), world.postgres()]);
      return startProgram({
        name,
        command: [program],
        env: { BOT_URL: bot.url, DATABASE_URL: postgres.url, GOMAXPROCS: '1' },
        path: '/readyz',
      });
    },
  };
}

/** Bare `node:http`, which sends on each path the very bytes that `like` answers it with now. */
export async function startBare(like: Program, paths: readonly string[]): Promise<Program> {
  const answers: Record<string, unknown> = {};
  for (const path of paths)
    answers[path] = await answerWithout(like.port, path, ['date', 'connection', 'keep-alive']);
  return startProgram({
    name: 'bare node:http',
    command: node('bare.js'),
    env: { ANSWERS: JSON.stringify(answers) },
    path: paths[0] ?? '/',
  });
}

/** Status, headers and body of an answer, without the headers that `node:http` writes by itself. */
async function answerWithout(
  port: number,
  path: string,
  names: readonly string[],
): Promise<{ status: number; headers: string[]; body: string }> {
  const text = Buffer.from(await answerOf(port, path), 'latin1').toString();
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const)
    .filter(([name]) => !names.includes(name.toLowerCase()));
  return { status: Number(first.split(' ')[1]), headers: headers.flat(), body: text.slice(end + 4) };
}
