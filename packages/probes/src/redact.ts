const MASK = '***';

// Each pattern keeps what tells a person where to look and masks what would let a reader in.
const PATTERNS: ReadonlyArray<readonly [RegExp, string]> = [
  // scheme://user:password@host; also where the password itself holds a slash or an at sign
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi, `$1${MASK}@`],
  [/\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?)(?:[a-z]+\s+)?[^\s"',;]+/gi, `$1${MASK}`],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${MASK}`],
  [
    /\b([a-z0-9_-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature)["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s"',;&)]+)/gi,
    `$1${MASK}`,
  ],
  // a driver's own words: password authentication failed for user "trader"
  [/\b(user|role|username)\s+("[^"]*"|'[^']*')/gi, `$1 "${MASK}"`],
  [/\b(user(?:name)?\s*=\s*)("[^"]*"|'[^']*'|[^\s"',;&)]+)/gi, `$1${MASK}`],
  // a JSON Web Token, wherever it stands
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, MASK],
];

/**
 * Masks credentials in a text that leaves the process: URL and DSN credentials, `Authorization`, bearer and basic
 * values, `password=`, `token=` and their kin, user names in driver messages, JSON Web Tokens, and every string in
 * `secrets` literally (those shorter than four characters are left, as they would mask ordinary words).
 */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let out = bounded(text);
  for (const secret of secrets) {
    if (secret.length < 4) continue;
    out = out.replaceAll(secret, MASK).replaceAll(encodeURIComponent(secret), MASK);
  }
  for (const [pattern, replacement] of PATTERNS) out = out.replace(pattern, replacement);
  return out;
}

/** Long texts are cut, at a gap so that no half of a credential is left, before patterns search them. */
function bounded(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  const gap = text.lastIndexOf(' ', MAX_TEXT);
  return gap > 0 ? `${text.slice(0, gap)} …` : `a text of ${text.length} characters`;
}

const MAX_TEXT = 10_000;

/** {@link redact} for plain JSON values: every string inside is masked, and a value under a key that names a secret is masked whole. What JSON cannot hold is left out or shown as text. */
export function redactValue(value: unknown, secrets: Iterable<string> = []): unknown {
  const list = [...secrets];
  const walk = (current: unknown, depth: number): unknown => {
    if (typeof current === 'string') return redact(current, list);
    if (typeof current === 'bigint') return current.toString();
    if (typeof current === 'function' || typeof current === 'symbol') return undefined;
    if (current === null || typeof current !== 'object' || current instanceof Date) return current;
    if (depth > 8) return MASK;
    if (Array.isArray(current)) return current.map((item) => walk(item, depth + 1));
    return Object.fromEntries(
      Object.entries(current).map(([key, item]) => [
        key,
        SECRET_KEY.test(key) && item !== null && item !== undefined ? MASK : walk(item, depth + 1),
      ]),
    );
  };
  return walk(value, 0);
}

const SECRET_KEY = /passw(or)?d|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key/i;

/** An error in one redacted line: its message, then those of its causes that say something new. At most 1000 characters. */
export function describeError(error: unknown, secrets: Iterable<string> = []): string {
  try {
    return line(error, secrets);
  } catch {
    // Somebody else's error may have a getter that throws.
    return 'failed with an error that cannot be shown';
  }
}

function line(error: unknown, secrets: Iterable<string>): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  let current: unknown = error;
  while (current !== undefined && current !== null && !seen.has(current) && parts.length < 5) {
    seen.add(current);
    const text = lineOf(current);
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof AggregateError ? (current.errors[0] as unknown) : causeOf(current);
  }
  const text = redact(parts.join(': '), secrets).replace(/\s+/g, ' ').trim();
  return text.length > 1000 ? `${text.slice(0, 999)}…` : text || 'failed without a message';
}

function lineOf(value: unknown): string {
  if (value instanceof Error) {
    const code = (value as { code?: unknown }).code;
    return String(value.message || (typeof code === 'string' ? code : value.name));
  }
  return String(value);
}

function causeOf(value: unknown): unknown {
  return value instanceof Error ? value.cause : undefined;
}
