import { describeError, redact, redactValue } from '@botwarden/probes';
import pino from 'pino';
import { openOutput } from './output.ts';

/** One JSON line per event on standard output: fields first, then a sentence. */
export interface Log
  extends Record<Level, (fields: Readonly<Record<string, unknown>>, sentence: string) => void> {
  /** Waits until every line is out, `ms` milliseconds at most. True when every line is. */
  readonly flush: (ms: number) => Promise<boolean>;
}

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Options of {@link createLog}. */
export interface LogOptions {
  /** The program, in each line. */
  readonly service: string;
  readonly version: string;
  /** Lines below this level are not written. */
  readonly level: string;
  /** Texts that are masked literally, beside what looks like a credential. */
  readonly secrets: readonly string[];
  /** More that stands in each line. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/**
 * Makes the log. It never waits for whoever reads it: what cannot be written is kept up to 1 MiB, then the oldest lines
 * are dropped, and a line `log.dropped` says how many. Every text is masked.
 */
export function createLog({ service, version, level, secrets, fields = {} }: LogOptions): Log {
  const base = { service, version, ...(redactValue(fields, secrets) as object) };
  const output = openOutput({
    fd: 1,
    dropped: (lines) => {
      const told = { level: 'warn', time: new Date().toISOString(), ...base, event: 'log.dropped', lines };
      const message = `${lines} line(s) of the log were dropped here: standard output did not take them.`;
      return `${JSON.stringify({ ...told, message })}\n`;
    },
  });
  const logger = pino(
    {
      level,
      base,
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
    },
    { write: output.write },
  );
  const at =
    (name: Level): Log[Level] =>
    (fields, sentence) =>
      logger[name](fields, redact(sentence, secrets));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), flush: output.flush };
}
