import { commandLine, type Service } from './model.ts';

const GATE = /(^|\/)hold-until-flat$/;
const INIT = /(^|\/)(tini|tini-static|dumb-init|catatonit|docker-init|s6-svscan|init)$/;
const SHELL = /(^|\/)(ba|da|a|z)?sh$/;

/**
 * Whether a bot runs under `hold-until-flat`:
 *
 * - `shown`: the stack says so, and nothing would start without it
 * - `absent`: the stack says what else it runs under
 * - `unknown`: only the image, or a program of which nothing is known, can tell. A variable of the gate's own proves
 *   nothing: it is just as well there for an image without the gate.
 */
export type Gate = 'shown' | 'absent' | 'unknown';

/** Reads that from a service. */
export function gateOf(bot: Service): Gate {
  const [first = '', second = '', third = ''] = withoutInit(commandLine(bot));
  if (GATE.test(first)) return 'shown';
  if (SHELL.test(first) && /^-[a-z]*c$/.test(second)) {
    // Without `exec` the shell gets the signal, and the gate never does.
    return /^\s*exec\s+(\S*\/)?hold-until-flat\s/.test(third) ? 'shown' : whatElse(bot, 'absent');
  }
  const named = commandLine(bot).some((word) => GATE.test(word));
  return named ? 'unknown' : whatElse(bot, 'absent');
}

/** An entrypoint that the stack leaves to the image can be anything. */
const whatElse = ({ entrypoint }: Service, otherwise: Gate): Gate =>
  entrypoint === null || entrypoint === undefined ? 'unknown' : otherwise;

/** A command line from the program that an init would run. */
export function withoutInit(line: readonly string[]): readonly string[] {
  if (!INIT.test(line[0] ?? '')) return line;
  const dashes = line.indexOf('--');
  return line.slice(
    dashes >= 0
      ? dashes + 1
      : Math.max(
          1,
          line.findIndex((word, at) => at > 0 && !word.startsWith('-')),
        ),
  );
}

/** Whether a command line begins with an init of its own. */
export const hasInit = (line: readonly string[]): boolean => INIT.test(line[0] ?? '');

/** The shell of `sh -c '…'` that stays between a signal and the program; undefined where there is none. */
export function shellBetween(line: readonly string[]): string | undefined {
  const [first = '', second = '', third = ''] = line;
  return SHELL.test(first) && /^-[a-z]*c$/.test(second) && !/\bexec\b/.test(third) ? first : undefined;
}

/** A command line from the program that the gate would run. */
export function withoutGate(line: readonly string[]): readonly string[] {
  const inner = withoutInit(line);
  return GATE.test(inner[0] ?? '') ? inner.slice(1) : inner;
}
