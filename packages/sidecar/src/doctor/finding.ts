import type { Platform } from './platform.ts';
import type { Pair, Stack } from './roles.ts';

/** `error`: positions can be left open, the bot can stay down, or something is exposed. `warning`: worth mending. */
export type Severity = 'error' | 'warning';

/** Something in a stack that is wrong for guarding a bot. */
export interface Finding {
  /** Stable, for scripts: the code of the rule that found it. */
  readonly code: string;
  readonly severity: Severity;
  /** The service that it is about; null for the stack as a whole. */
  readonly service: string | null;
  /** What happens because of it. */
  readonly happens: string;
  /** How to mend it. */
  readonly mend: string;
  /** The commands that can leave positions open because of it. */
  readonly leavesOpen?: readonly string[];
}

/** A finding before its rule has put its code on it. */
export type Found = Omit<Finding, 'code'>;

/** Looks for one thing. Pure. */
export interface Rule {
  /** Stable, for scripts. */
  readonly code: string;
  /** One line for `--help`: what is wrong when it finds something. */
  readonly about: string;
  /** Where it is looked for; unset: everywhere. */
  readonly platforms?: readonly Platform[];
  readonly find: (stack: Stack) => readonly Found[];
}

/** Looks at every bot and its sidecar. */
export const inPairs =
  (find: (pair: Pair, stack: Stack) => readonly Found[]): Rule['find'] =>
  (stack) =>
    stack.pairs.flatMap((pair) => find(pair, stack));

/** A finding about a service (null: about the stack), as severe as it is in the name of the function. */
export const error = (
  service: { readonly name: string } | null,
  happens: string,
  mend: string,
  leavesOpen?: readonly string[],
): Found => found('error', service, happens, mend, leavesOpen);

/** The same, worth mending only. */
export const warning = (
  service: { readonly name: string } | null,
  happens: string,
  mend: string,
  leavesOpen?: readonly string[],
): Found => found('warning', service, happens, mend, leavesOpen);

function found(
  severity: Severity,
  service: { readonly name: string } | null,
  happens: string,
  mend: string,
  leavesOpen: readonly string[] | undefined,
): Found {
  return {
    severity,
    service: service?.name ?? null,
    happens,
    mend,
    ...(leavesOpen === undefined ? {} : { leavesOpen }),
  };
}
