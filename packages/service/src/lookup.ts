import { type LookupAddress, Resolver } from 'node:dns';
import { readFile, readFileSync } from 'node:fs';
import { isIP, type LookupFunction } from 'node:net';
import type { Lookup } from '@botwarden/probes';
import type { Log } from './log.ts';

/** Options of {@link createLookup}, for tests: the defaults are those of the system. */
export interface LookupOptions {
  /** Names that need no server. Default `/etc/hosts`. */
  readonly hostsFile?: string;
  /** Where the search list is; the resolver itself reads `/etc/resolv.conf`. Default that file. */
  readonly searchFile?: string;
  /** The servers to ask, as `address` or `address:port`. Default: those of the system. */
  readonly servers?: readonly string[];
}

/** Resolves host names without a thread of the pool, which a name server that hangs would keep. */
export interface NameLookup extends Lookup {
  /** Calls `listener` when a name that once resolved no longer does, and with null for the code when it does again. */
  readonly onStale: (listener: (name: string, code: string | null) => void) => void;
}

/** The code of a name that does not exist, and of one that nobody could be asked for: those of `dns.lookup`. */
type Code = 'ENOTFOUND' | 'EAI_AGAIN';

/** A question that is under way, once for each name, whoever waits for it. */
interface Question {
  readonly answer: Promise<readonly LookupAddress[]>;
  readonly cancel: () => void;
  waiting: number;
}

/** A name that has an address already is waited for so long, in milliseconds; then that address serves. */
const PATIENCE_MS = 25;

/** The longest that a question goes on, whoever waits for it, in milliseconds. */
const QUESTION_MS = 5_000;

/** One server gets so long before the next one is asked, in milliseconds. */
const SERVER_MS = 1_000;

/** When one family of addresses is known, the other may take so long, in milliseconds (RFC 8305, 3). */
const OTHER_FAMILY_MS = 50;

/** The files are read again after so many milliseconds. */
const FILES_MS = 5_000;

/** So many names keep their last address. */
const NAMES_MAX = 100;

/**
 * Makes a lookup. It reads `/etc/hosts`, then asks the name servers over sockets of its own, with the search list of
 * `/etc/resolv.conf`. A name that has resolved before and now does not, or not at once, has its last address.
 */
export function createLookup(options: LookupOptions = {}): NameLookup {
  const { hostsFile = '/etc/hosts', searchFile = '/etc/resolv.conf', servers } = options;
  const hosts = watched(hostsFile, parseHosts);
  const search = watched(searchFile, parseSearch);
  const last = new Map<string, readonly LookupAddress[]>();
  const questions = new Map<string, Question>();
  const stale = new Set<string>();
  const listeners: Array<(name: string, code: string | null) => void> = [];

  async function addressesOf(host: string, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    const name = host.toLowerCase();
    const bare = name.replace(/\.$/, '');
    const local = hosts().get(bare) ?? (isLocal(bare) ? LOOPBACK : undefined);
    if (local !== undefined) return local;
    const known = last.get(name);
    const question = questions.get(name) ?? ask(name);
    question.waiting += 1;
    try {
      if (known === undefined) return await orAborted(question.answer, signal);
      return await orAborted(within(PATIENCE_MS, question.answer, known), signal);
    } finally {
      question.waiting -= 1;
      // A name with an address is asked for to the end: the next call then has the new one.
      if (question.waiting === 0 && known === undefined) question.cancel();
    }
  }

  function ask(name: string): Question {
    const resolver = new Resolver({ timeout: SERVER_MS, tries: 3 });
    if (servers !== undefined) resolver.setServers([...servers]);
    const timer = setTimeout(() => resolver.cancel(), QUESTION_MS);
    timer.unref();
    const answer = resolve(resolver, candidates(name, search()));
    const forget = (): void => {
      if (questions.get(name) === question) questions.delete(name);
    };
    const question: Question = {
      answer,
      waiting: 0,
      cancel() {
        forget();
        resolver.cancel();
      },
    };
    questions.set(name, question);
    answer
      .then(
        (addresses) => {
          last.delete(name);
          last.set(name, addresses);
          for (const oldest of [...last.keys()].slice(0, -NAMES_MAX)) last.delete(oldest);
          if (stale.delete(name)) for (const listener of listeners) listener(name, null);
        },
        (error: NodeJS.ErrnoException) => {
          if (!last.has(name) || stale.has(name)) return;
          stale.add(name);
          for (const listener of listeners) listener(name, error.code ?? 'EAI_AGAIN');
        },
      )
      .finally(() => {
        clearTimeout(timer);
        forget();
      });
    return question;
  }

  const lookup =
    (signal: AbortSignal): LookupFunction =>
    (host, { family, all }, callback) => {
      addressesOf(host, signal).then(
        (found) => {
          const wanted = typeof family === 'string' ? Number(family.slice(-1)) : (family ?? 0);
          const addresses = found.filter((one) => wanted === 0 || one.family === wanted);
          const [first] = addresses;
          if (first === undefined) callback(failure('ENOTFOUND', host), '');
          else if (all === true) callback(null, addresses);
          else callback(null, first.address, first.family);
        },
        (error: NodeJS.ErrnoException) => callback(error, ''),
      );
    };
  return Object.assign(lookup, {
    onStale: (listener: (name: string, code: string | null) => void) => void listeners.push(listener),
  });
}

/** The lookup of this process. Every connection that a program makes goes through it, so that a last address is shared. */
export const lookup: NameLookup = createLookup();

/** A listener of {@link NameLookup.onStale} that writes both into a log. */
export function tellStale(log: Pick<Log, 'info' | 'warn'>): (name: string, code: string | null) => void {
  return (name, code) => {
    if (code === null) log.info({ event: 'name.back', name }, `The name ${name} resolves again.`);
    else
      log.warn(
        { event: 'name.stale', name, code },
        `The name ${name} does not resolve (${code}): its last address is used.`,
      );
  };
}

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

const isLocal = (name: string): boolean => name === 'localhost' || name.endsWith('.localhost');

/** The first of the names that has an address. Those of IPv4 come first. */
async function resolve(resolver: Resolver, names: readonly string[]): Promise<readonly LookupAddress[]> {
  let code: Code = 'ENOTFOUND';
  for (const name of names) {
    try {
      return await bothFamilies(resolver, name);
    } catch (error) {
      const { code: said } = error as NodeJS.ErrnoException;
      if (said === 'ENOTFOUND' || said === 'ENODATA') continue;
      // A server that fails for one name of the search list may know the next; one that is silent is not asked on.
      code = 'EAI_AGAIN';
      if (said !== 'ESERVFAIL') break;
    }
  }
  throw failure(code, names[0] ?? '');
}

async function bothFamilies(resolver: Resolver, name: string): Promise<readonly LookupAddress[]> {
  const of = (family: 4 | 6): Promise<LookupAddress[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<LookupAddress[]>();
    resolver[family === 4 ? 'resolve4' : 'resolve6'](name, (error, found) => {
      if (error !== null) reject(error);
      else resolve(found.map((address) => ({ address, family })));
    });
    return promise;
  };
  const families = [of(4), of(6)];
  const none: LookupAddress[] = [];
  try {
    await Promise.any(families);
  } catch (error) {
    // What a server knows of one family is worth more than that it failed for the other.
    const errors = (error as AggregateError).errors as NodeJS.ErrnoException[];
    throw errors.find(({ code }) => code !== 'ENODATA' && code !== 'ENOTFOUND') ?? errors[0];
  }
  const found = await Promise.all(
    families.map((answer) => within(OTHER_FAMILY_MS, answer, none).catch(() => none)),
  );
  return found.flat();
}

/** The names that are asked for, in order, as the system's own resolver would. */
function candidates(name: string, { domains, dots }: Search): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const searched = domains.map((domain) => `${name}.${domain}`);
  return name.split('.').length > dots ? [name, ...searched] : [...searched, name];
}

interface Search {
  readonly domains: readonly string[];
  /** `ndots`: a name with fewer dots is searched for first. */
  readonly dots: number;
}

function parseSearch(text: string): Search {
  let domains: readonly string[] = [];
  let dots = 1;
  for (const line of text.split('\n')) {
    const [key, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (key === 'search' || key === 'domain') domains = values.map((value) => value.replace(/\.$/, ''));
    if (key !== 'options') continue;
    for (const value of values) dots = Number(/^ndots:(\d{1,2})$/.exec(value)?.[1] ?? dots);
  }
  return { domains: domains.filter((domain) => domain !== '').slice(0, 6), dots };
}

function parseHosts(text: string): ReadonlyMap<string, readonly LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*$/, '').trim().toLowerCase().split(/\s+/);
    const family = isIP(address);
    if (family === 0) continue;
    for (const name of names) hosts.set(name, [...(hosts.get(name) ?? []), { address, family }]);
  }
  for (const addresses of hosts.values()) addresses.sort((one, other) => one.family - other.family);
  return hosts;
}

/** What is in a small file, read again every {@link FILES_MS}, in the background: nobody waits for a disk that hangs. */
function watched<T>(path: string, parse: (text: string) => T): () => T {
  let value: T | undefined;
  let readAt = 0;
  let reading = false;
  return () => {
    if (value === undefined) {
      readAt = performance.now();
      value = parse(readNow(path));
    } else if (!reading && performance.now() - readAt > FILES_MS) {
      reading = true;
      readFile(path, 'utf8', (error, text) => {
        reading = false;
        readAt = performance.now();
        if (error === null) value = parse(text);
      });
    }
    return value;
  };
}

function readNow(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function failure(code: Code, name: string): NodeJS.ErrnoException {
  const why = code === 'ENOTFOUND' ? 'there is no such name' : 'no name server could say';
  return Object.assign(new Error(`lookup ${code} ${name}: ${why}`), {
    code,
    syscall: 'lookup',
    hostname: name,
  });
}

/** The outcome of `work`, or `otherwise` when that takes longer than `ms` milliseconds or fails. */
async function within<T>(ms: number, work: Promise<T>, otherwise: T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(resolve, ms, otherwise);
  try {
    return await Promise.race([work.catch(() => otherwise), promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The outcome of `work`, or the reason of `signal` if that comes first. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
