import { readFileSync } from 'node:fs';
import type { ConfigProblem } from './configuration.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One variable of the environment, as `--help` and the README show it. */
export interface Variable {
  readonly name: string;
  /** As it would be written; undefined where there is none. */
  readonly fallback?: string;
  /** Also read from the file that `NAME_FILE` names, and never shown. */
  readonly secret?: true;
  /** An empty value means something of its own here; elsewhere it is the same as unset. */
  readonly emptyMeansOff?: true;
  /** One line: what it is for. */
  readonly about: string;
}

/**
 * The value of a variable: what the environment has, for a secret also what the file in `NAME_FILE` has, or the
 * fallback. Undefined where there is none. What is wrong is added to `problems`.
 */
export function readVariable(
  variable: Omit<Variable, 'about'>,
  env: Environment,
  problems: ConfigProblem[],
): string | undefined {
  const { name, fallback, secret = false, emptyMeansOff = false } = variable;
  const given = env[name];
  const value = given === '' && !emptyMeansOff ? undefined : given;
  const file = secret ? env[`${name}_FILE`] : undefined;
  if (file === undefined || file === '') return value ?? fallback;
  if (value !== undefined) {
    problems.push({ name, expected: `either ${name} or ${name}_FILE, not both` });
    return undefined;
  }
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    if (text !== '') return text;
    problems.push({
      name: `${name}_FILE`,
      expected: 'a file with the secret in it',
      got: `${file}, which is empty`,
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    problems.push({ name: `${name}_FILE`, expected: 'a file that can be read', got: `${file} (${code})` });
  }
  return undefined;
}

/** The variables as `--help` lists them, one a line. */
export function describeVariables(variables: readonly Variable[]): string {
  const width = Math.max(...variables.map(({ name }) => name.length));
  return variables
    .map(({ name, fallback, secret, about }) => {
      const extra = [
        ...(fallback === undefined ? [] : [`default ${fallback}`]),
        ...(secret === true ? [`or ${name}_FILE`] : []),
      ];
      return `  ${name.padEnd(width)}  ${about}${extra.length > 0 ? ` [${extra.join('; ')}]` : ''}`;
    })
    .join('\n');
}
