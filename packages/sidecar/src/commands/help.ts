import { describeVariables } from '@botwarden/service/variables';
import { VARIABLES } from '../config/variables.ts';

/** What `botwarden --help` prints. */
export function helpText(): string {
  return `botwarden watches a trading bot, asks for its restart when it hangs, and closes its positions before it is stopped.

Usage:
  botwarden [serve]             watch the bot; SIGTERM and SIGINT drain first
  botwarden config              show the effective configuration, secrets masked
  botwarden check-bot URL       ask a bot which calls of the contract it meets, without trading
  botwarden doctor              read "docker compose config --format json" from standard input and say what is wrong
  botwarden --help | --version

Exit codes of serve:
  0  flat was proven, or there was nothing to close
  1  a defect
  2  bad configuration
  3  NOT FLAT: positions may be open

Environment (durations read 250ms, 5s, 2m; an empty value is the same as none unless it says otherwise):
${describeVariables(VARIABLES)}
`;
}
