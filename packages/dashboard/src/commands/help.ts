import { describeVariables } from '@botwarden/service/variables';
import { VARIABLES } from '../config/variables.ts';

/** What `botwarden-dashboard --help` prints. */
export function helpText(): string {
  return `botwarden-dashboard shows the state of every guarded bot on one page, as their sidecars tell it.

Usage:
  botwarden-dashboard [serve]    serve the page
  botwarden-dashboard --help | --version

Exit codes:
  0  stopped as told
  1  a defect, or nothing can listen there
  2  bad configuration

Environment (durations read 250ms, 5s, 2m; an empty value is the same as none):
${describeVariables(VARIABLES)}
`;
}
