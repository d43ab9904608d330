/** `error`: positions can be left open, the bot can stay down, or something is exposed. `warning`: worth mending. */
export type Severity = 'error' | 'warning';

/** Something in a stack that is wrong for guarding a bot. */
export interface Finding {
  /** Stable, for scripts. */
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

/** Looks at one aspect of a stack. */
export type Rule<Subject> = (subject: Subject) => readonly Finding[];
