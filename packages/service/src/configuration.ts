/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** The variable. */
  readonly name: string;
  /** What was expected. */
  readonly expected: string;
  /** What was given; never present for a secret. */
  readonly got?: string;
}

/** The configuration cannot be used. Lists every problem, not only the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'BAD_CONFIGURATION';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ name, expected, got }) => {
      const given = got === undefined ? '' : `, got ${JSON.stringify(got)}`;
      return `  ${name}: expected ${expected}${given}`;
    });
    super(
      `the configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
    );
    this.problems = problems;
  }
}
