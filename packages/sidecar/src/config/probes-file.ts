import { readFile } from 'node:fs/promises';
import type { MonitoredProbe } from '@botwarden/probes';
import { DeclarationError, loadProbes } from '@botwarden/probes/declared';
import { ConfigError, type ConfigProblem } from '@botwarden/service/configuration';
import { lookup } from '@botwarden/service/lookup';

/** Names that the sidecar's own probes have. */
const OWN = new Set(['api', 'database', 'models', 'tick', 'close-path']);

/**
 * The probes of PROBES_FILE; `${NAME}` in it stands for a variable. In health+json each is `name:responseTime`,
 * whatever it measures, so that a reader knows the key from the name.
 *
 * @throws {ConfigError} with every mistake at once, each with its line and column.
 */
export async function loadProbesFile(
  path: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<MonitoredProbe[]> {
  const { probes, groups } = await read(path, variables);
  const problems: ConfigProblem[] = [];
  if (groups !== undefined) {
    problems.push(
      problem(
        'no groups: every probe counts for readiness; write critical: false for one that should not',
        path,
      ),
    );
  }
  for (const { probe } of probes) {
    if (OWN.has(probe.name))
      problems.push(problem(`another name than ${probe.name}, which the sidecar has itself`, path));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return probes.map((item) => ({ ...item, probe: { ...item.probe, measurement: 'responseTime' } }));
}

async function read(
  path: string,
  variables: Readonly<Record<string, string | undefined>>,
): ReturnType<typeof loadProbes> {
  try {
    return await loadProbes(await readFile(path, 'utf8'), { variables, lookup });
  } catch (error) {
    if (error instanceof DeclarationError) {
      throw new ConfigError(
        error.mistakes.map((mistake) =>
          problem(
            'a file of probes',
            `${path}:${mistake.line}:${mistake.column}: ${mistake.path} ${mistake.message}`,
          ),
        ),
      );
    }
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new ConfigError([problem('a file that can be read', `${path} (${code})`)]);
  }
}

function problem(expected: string, got: string): ConfigProblem {
  return { name: 'PROBES_FILE', expected, got };
}
