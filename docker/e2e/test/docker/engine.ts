import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The top of the repository. */
export const top = fileURLToPath(new URL('../../../../', import.meta.url));

/** What a command said. */
export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program in a folder, to its end; with a `limit` at most so many milliseconds, after which it is ended. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string>; input?: string; limit?: number },
): Promise<Outcome> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    timeout: options.limit,
  });
  const outcome: Outcome = { status: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text;
  });
  child.stdin.on('error', () => {}).end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ ...outcome, status }));
  });
}

/** Runs `docker` at the top of the repository; at most `limit` milliseconds, by default three minutes. */
export function docker(
  args: readonly string[],
  { env, limit = 180_000, ...options }: { env?: Record<string, string>; input?: string; limit?: number } = {},
): Promise<Outcome> {
  const plain = { COMPOSE_ANSI: 'never', COMPOSE_PROGRESS: 'plain' };
  return run('docker', args, { ...options, cwd: top, env: { ...plain, ...env }, limit });
}

/** The same, for a command that has to work: gives its output, or throws what it said. */
export async function dockerOk(...args: Parameters<typeof docker>): Promise<string> {
  const { status, stdout, stderr } = await docker(...args);
  if (status !== 0)
    throw new Error(`docker ${args[0].join(' ')} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout.trim();
}

/**
 * Why these tests cannot run here; undefined when they can. Without an engine they are skipped, unless CI is
 * set: a run that was to prove something must not pass by proving nothing.
 */
export const engineMissing: string | undefined = (() => {
  const probe = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8', timeout: 30_000 });
  const engine = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (probe.status === 0 && engine.status === 0) return undefined;
  const why = 'no Docker engine with Compose answers';
  if (process.env.CI) throw new Error(`${why}: ${probe.stderr ?? ''}${engine.stderr ?? ''}`);
  return why;
})();
