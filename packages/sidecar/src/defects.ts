import type { Alert } from './alerts/alert.ts';
import type { EventLog } from './event-log.ts';

/** Errors that Botwarden itself made: none is swallowed, and none stops it from guarding the bot. */
export interface Defects {
  /** Logs it, counts it, and alerts. `where` says in which part, as half a sentence. Never throws. */
  readonly tell: (where: string, error: unknown) => void;
  /** Calls `work`; what it throws is told. */
  readonly guard: (where: string, work: () => void) => void;
  /** How many there were. */
  readonly count: () => number;
}

export function createDefects(options: {
  readonly log: EventLog;
  readonly alert: (alert: Alert) => void;
}): Defects {
  const { log, alert } = options;
  let count = 0;
  const tell = (where: string, error: unknown): void => {
    count += 1;
    log.error({ event: 'defect', where, err: error }, `A defect of Botwarden: an error ${where}.`);
    try {
      alert({
        key: `defect.${where}`,
        event: 'defect',
        severity: 'critical',
        text: `A defect of Botwarden: an error ${where}. Please report what its log says.`,
      });
    } catch {
      // The alerts are what is defective: the log has it.
    }
  };
  return {
    tell,
    guard(where, work) {
      try {
        work();
      } catch (error) {
        tell(where, error);
      }
    },
    count: () => count,
  };
}
