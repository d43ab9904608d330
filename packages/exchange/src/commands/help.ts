import { describeVariables } from '@botwarden/service/variables';
import { VARIABLES } from '../config/variables.ts';

/** What `botwarden-exchange --help` prints. */
export function helpText(): string {
  return `botwarden-exchange asks the exchange itself what is open, and closes it when the bot cannot.

Usage:
  botwarden-exchange [serve]    answer as a bot does: GET /health, GET /positions, POST /close-positions
  botwarden-exchange --help | --version

Exit codes:
  0  stopped as told
  1  a defect, or nothing can listen there
  2  bad configuration

Environment (durations read 250ms, 5s, 2m; an empty value is the same as none):
${describeVariables(VARIABLES)}
`;
}
