/** What a {@link ProbeError} can say about itself; stable, so that programs may switch on it. */
export type ProbeErrorCode =
  | 'PROBE_TIMEOUT'
  | 'PROBE_STALE'
  | 'PROBE_STUCK'
  | 'PROBE_CLOSED'
  | 'PROBE_FAILED'
  | 'HTTP_STATUS'
  | 'HTTP_REDIRECT'
  | 'HTTP_BODY_TOO_LARGE'
  | 'HTTP_NOT_JSON'
  | 'HTTP_UNREACHABLE'
  | 'HTTP_UNEXPECTED_BODY'
  | 'MODELS_NOT_LOADED'
  | 'MODELS_MALFORMED'
  | 'TICK_STALE'
  | 'TICK_MISSING'
  | 'DATABASE_UNREACHABLE'
  | 'DATABASE_UNEXPECTED_ANSWER'
  | 'TCP_UNREACHABLE'
  | 'TLS_UNREACHABLE'
  | 'TLS_EXPIRES'
  | 'DISK_FULL'
  | 'MEMORY_EXHAUSTED'
  | 'EVENT_LOOP_DELAYED';

/** A probe that failed, in words: what was expected, what came, what to do. Its message never carries a credential. */
export class ProbeError extends Error {
  /** Always `ProbeError`. */
  override readonly name = 'ProbeError';
  /** Stable across releases. */
  readonly code: ProbeErrorCode;

  constructor(code: ProbeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Options that cannot work, refused at construction: `RangeError`-like, with the option's name in the message. */
export class ProbeOptionError extends Error {
  /** Always `ProbeOptionError`. */
  override readonly name = 'ProbeOptionError';
  /** Always `PROBE_OPTION`. */
  readonly code = 'PROBE_OPTION';
  /** The option at fault, as the caller wrote it. */
  readonly option: string;

  constructor(option: string, expected: string, got: unknown) {
    super(`${option}: expected ${expected}, got ${describeValue(got)}`);
    this.option = option;
  }
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  if (value !== null && typeof value === 'object') return 'an object';
  return String(value);
}
