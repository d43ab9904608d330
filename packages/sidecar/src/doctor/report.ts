import type { Finding } from './finding.ts';
import { type Platform, WORDS } from './platform.ts';

const never = (platform: Platform): string =>
  `No stack is safe from ${WORDS[platform].neverSafe.map((command) => `\`${command}\``).join(', ')}: they leave no time to close anything.`;

/** The findings for a person. */
export function report(findings: readonly Finding[], platform: Platform = 'compose'): string {
  const blocks = findings.map(({ code, severity, service, happens, mend, leavesOpen }) =>
    [
      `${severity.padEnd(7)}  ${service === null ? '' : `${service}: `}${code}`,
      `         ${happens}`,
      ...(leavesOpen === undefined
        ? []
        : ['         Can leave positions open:', ...leavesOpen.map((command) => `           ${command}`)]),
      `         → ${mend}`,
    ].join('\n'),
  );
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
  const sum =
    findings.length === 0
      ? 'Nothing is wrong.'
      : `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}.`;
  return [...blocks, `${sum} ${never(platform)}`].join('\n\n');
}

/** The findings for a program: `{"findings":[…],"errors":n,"warnings":n}`, with every key always there. */
export function reportJson(findings: readonly Finding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  return JSON.stringify(
    {
      errors,
      warnings: findings.length - errors,
      findings: findings.map(({ leavesOpen, ...finding }) => ({ ...finding, leaves_open: leavesOpen ?? [] })),
    },
    null,
    2,
  );
}
