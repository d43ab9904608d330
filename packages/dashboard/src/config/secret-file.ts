import { readFileSync } from 'node:fs';
import type { ConfigProblem } from './errors.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The value of `name`, an empty one being none; for a `secret` also from the file that `NAME_FILE` names. What is wrong is added to `problems`. */
export function readVariable(
  name: string,
  secret: boolean,
  env: Environment,
  problems: ConfigProblem[],
): string | undefined {
  const value = env[name] === '' ? undefined : env[name];
  const file = secret ? env[`${name}_FILE`] : undefined;
  if (file === undefined || file === '') return value;
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
