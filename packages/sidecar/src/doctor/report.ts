import type { Finding } from './finding.ts';

/** The two commands that no stack can make safe. */
const NEVER_SAFE =
  'No stack is safe from `docker kill` and `docker compose down -t 0`: they leave no time to close anything.';

/** The findings for a person. */
export function report(findings: readonly Finding[]): string {
  const blocks = findings.map(({ code, severity, service, happens, mend, leavesOpen }) =>
    [
      `${severity.padEnd(7)}  ${service === null ? '' : `${service}: `}${code}`,
      `         ${happens}`,
      ...(leavesOpen === undefined ? [] : [`         Can leave positions open: ${leavesOpen.join(' · ')}`]),
      `         → ${mend}`,
    ].join('\n'),
  );
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
  const sum =
    findings.length === 0
      ? 'Nothing is wrong.'
      : `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}.`;
  return [...blocks, `${sum} ${NEVER_SAFE}`].join('\n\n');
}
