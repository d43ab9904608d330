import { describeError, redact, redactValue } from '@botwarden/probes';
import pino, { type Logger } from 'pino';

/** One JSON line per event on standard output. */
export type Log = Logger;

/** Options of {@link createLog}. */
export interface LogOptions {
  /** The program, in each line. */
  readonly service: string;
  readonly version: string;
  /** Lines below this level are not written. */
  readonly level: string;
  /** Texts that are masked literally, beside what looks like a credential. */
  readonly secrets: readonly string[];
}

/** What a full disk may leave unwritten in memory, in bytes; more is dropped. */
const UNWRITTEN_MAX = 1_048_576;

/** Makes the log. Lines are written at once, so that the last one before an exit is not lost. Every text is masked. */
export function createLog({ service, version, level, secrets }: LogOptions): Log {
  const output = pino.destination({ dest: 1, sync: true, maxLength: UNWRITTEN_MAX });
  // A full disk must not end a drain: receipt, alert and exit code speak without the log.
  output.on('error', () => undefined);
  return pino(
    {
      level,
      base: { service, version },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: {
        level: (label) => ({ level: label }),
        log: ({ err, ...fields }) => ({
          ...(redactValue(fields, secrets) as Record<string, unknown>),
          ...(err === undefined ? {} : { err: describeError(err, secrets) }),
        }),
      },
      // The error is a line of text by then.
      serializers: { err: (text: unknown) => text },
      hooks: {
        logMethod(args, method) {
          const [first, second, ...rest] = args as unknown as [unknown, unknown, ...unknown[]];
          const masked = [first, second].map((arg) => (typeof arg === 'string' ? redact(arg, secrets) : arg));
          method.apply(this, [...masked, ...rest] as Parameters<typeof method>);
        },
      },
    },
    output,
  );
}
