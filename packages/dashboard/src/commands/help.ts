import { VARIABLES, type Variable } from '../config/variables.ts';

/** What `botwarden-dashboard --help` prints. */
export function helpText(): string {
  const width = Math.max(...VARIABLES.map(({ name }) => name.length));
  const variables = VARIABLES.map((variable: Variable) => {
    const extra = [
      ...(variable.fallback === undefined ? [] : [`default ${variable.fallback}`]),
      ...(variable.secret === true ? [`or ${variable.name}_FILE`] : []),
    ];
    return `  ${variable.name.padEnd(width)}  ${variable.about}${extra.length > 0 ? ` [${extra.join('; ')}]` : ''}`;
  });
  return `botwarden-dashboard shows the state of every guarded bot on one page, as their sidecars tell it.

Usage:
  botwarden-dashboard [serve]    serve the page
  botwarden-dashboard --help | --version

Exit codes:
  0  stopped as told
  1  a defect, or nothing can listen there
  2  bad configuration

Environment (durations read 250ms, 5s, 2m; an empty value is the same as none):
${variables.join('\n')}
`;
}
