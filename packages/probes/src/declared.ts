import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type * as z from 'zod';
import { type DeclaredProbe, declaration } from './declared-schema.ts';
import { ProbeOptionError } from './errors.ts';
import type { Lookup } from './lookup.ts';
import type { MonitoredProbe } from './monitor.ts';
import type { Probe } from './probe.ts';
import { diskProbe } from './probes/disk.ts';
import { eventLoopProbe } from './probes/event-loop.ts';
import { httpProbe } from './probes/http.ts';
import { memoryProbe } from './probes/memory.ts';
import { modelProbe } from './probes/model.ts';
import { redisProbe } from './probes/redis.ts';
import { tcpProbe } from './probes/tcp.ts';
import { tickProbe } from './probes/tick.ts';
import { tlsProbe } from './probes/tls.ts';

/** What {@link loadProbes} gives back: spread it into the options of a monitor. */
export interface DeclaredProbes {
  /** In the order of the file. */
  probes: MonitoredProbe[];
  /** As in the file; absent where it names none. */
  groups?: Record<string, string[]>;
}

/** Options of {@link loadProbes}. */
export interface LoadProbesOptions {
  /** What `${NAME}` stands for in a value, so that no secret needs to be in the file. Default none. */
  variables?: Readonly<Record<string, string | undefined>>;
  /** Finds the addresses of hosts, for every probe that connects. Default: as Node does by itself, in its shared threads. */
  lookup?: Lookup;
}

/** One mistake in a file of declared probes. */
export interface DeclarationMistake {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Where in the document, such as `probes[2].port`; empty for the whole. */
  readonly path: string;
  /** What was expected, and what came where that is no secret. */
  readonly message: string;
}

/** A file of declared probes that cannot be used, with every mistake in it. */
export class DeclarationError extends Error {
  /** Always `DeclarationError`. */
  override readonly name = 'DeclarationError';
  /** Always `PROBES_DECLARATION`. */
  readonly code = 'PROBES_DECLARATION';
  /** In the order of the file. */
  readonly mistakes: readonly DeclarationMistake[];

  constructor(mistakes: readonly DeclarationMistake[]) {
    super(
      mistakes
        .map(
          ({ line, column, path, message }) =>
            `${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`,
        )
        .join('\n'),
    );
    this.mistakes = mistakes;
  }
}

/**
 * Makes probes of a YAML text, as `probes.schema.json` describes it. Needs the packages `yaml` and `zod`, and `pg` when
 * a Postgres is declared.
 *
 * @throws {DeclarationError} naming every mistake at once, with line and column.
 */
export async function loadProbes(yaml: string, options: LoadProbesOptions = {}): Promise<DeclaredProbes> {
  const source = new Source(yaml, options.variables ?? {});
  source.throwMistakes();
  const { data, error } = declaration.safeParse(source.value);
  for (const issue of error?.issues ?? []) report(source, issue);
  source.throwMistakes();

  const probes: MonitoredProbe[] = [];
  const names = new Set<string>();
  for (const [index, declared] of (data?.probes ?? []).entries()) {
    if (names.has(declared.name)) source.mistake(['probes', index, 'name'], 'expected each name once');
    names.add(declared.name);
    const made = await makeProbe(declared, index, source, options.lookup);
    if (made !== undefined) probes.push(made);
  }
  for (const [group, members] of Object.entries(data?.groups ?? {})) {
    for (const [index, name] of members.entries()) {
      if (names.has(name)) continue;
      source.mistake(
        ['groups', group, index],
        `expected a declared probe (${[...names].join(', ') || 'there is none'})`,
      );
    }
  }
  source.throwMistakes();
  return { probes, ...(data?.groups === undefined ? {} : { groups: data.groups }) };
}

async function makeProbe(
  declared: DeclaredProbe,
  index: number,
  source: Source,
  lookup: Lookup | undefined,
): Promise<MonitoredProbe | undefined> {
  const {
    critical,
    interval,
    timeout,
    failureThreshold,
    successThreshold,
    staleAfter,
    initialDelay,
    ...own
  } = declared;
  const settings = {
    critical,
    interval,
    timeout,
    failureThreshold,
    successThreshold,
    staleAfter,
    initialDelay,
  };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  try {
    return { ...given, probe: await construct(own as DeclaredProbe, lookup) };
  } catch (error) {
    const option = error instanceof ProbeOptionError ? error.option : undefined;
    const message = error instanceof Error ? error.message : String(error);
    source.mistake(
      ['probes', index, ...(option === undefined ? [] : [option])],
      message.replace(`${option}: `, ''),
    );
    return undefined;
  }
}

/** The probes that connect to a host. */
const CONNECTS = new Set<DeclaredProbe['type']>(['http', 'model', 'tick', 'postgres', 'tcp', 'tls', 'redis']);

async function construct(declared: DeclaredProbe, lookup: Lookup | undefined): Promise<Probe> {
  const { type, ...own } = declared;
  const options = lookup === undefined || !CONNECTS.has(type) ? own : { ...own, lookup };
  // Each constructor checks its own options again; what the schema let through has their types.
  const as = <T>(): T => options as T;
  switch (type) {
    case 'http': {
      const { json, ...rest } = as<Extract<DeclaredProbe, { type: 'http' }>>();
      const expected = json === undefined ? {} : { json: (body: unknown) => contains(body, json) };
      return httpProbe({ ...(rest as Parameters<typeof httpProbe>[0]), ...expected });
    }
    case 'tick': {
      const { field = 'last_tick_at', ...rest } = as<Extract<DeclaredProbe, { type: 'tick' }>>();
      const lastTick = (body: unknown) => at(body, field.split('.')) as string | undefined;
      return tickProbe({ ...(rest as Parameters<typeof tickProbe>[0]), lastTick });
    }
    case 'postgres': {
      // Here, so that the driver is needed only by those who have a database.
      const { postgresProbe } = await import('./postgres.ts');
      return postgresProbe(as());
    }
    case 'model':
      return modelProbe(as());
    case 'tcp':
      return tcpProbe(as());
    case 'tls':
      return tlsProbe(as());
    case 'redis':
      return redisProbe(as());
    case 'disk':
      return diskProbe(as());
    case 'memory':
      return memoryProbe(as());
    case 'event-loop':
      return eventLoopProbe(as());
  }
}

/** Whether `body` has everything that `expected` has; what it has beside that is not looked at. */
function contains(body: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null) return Object.is(body, expected);
  if (typeof body !== 'object' || body === null || Array.isArray(body) !== Array.isArray(expected))
    return false;
  return Object.entries(expected).every(
    ([key, value]) => Object.hasOwn(body, key) && contains((body as Record<string, unknown>)[key], value),
  );
}

function at(body: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | null | undefined)?.[key],
    body,
  );
}

type Path = ReadonlyArray<string | number>;

function report(source: Source, issue: z.core.$ZodIssue): void {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) source.mistake([...path, key], 'is no option here', 'key');
  } else if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const inner = issue.errors.map((errors) => errors[0]?.message ?? '').filter((message) => message !== '');
    source.mistake(path, [...new Set(inner)].join(', or '));
  } else {
    source.mistake(path, issue.message);
  }
}

/** A YAML text with its variables filled in, that knows where everything stands and collects mistakes. */
class Source {
  readonly value: unknown;
  readonly #lines = new LineCounter();
  readonly #root: Node | null;
  readonly #mistakes: DeclarationMistake[] = [];

  constructor(yaml: string, variables: Readonly<Record<string, string | undefined>>) {
    const document = parseDocument(yaml, { lineCounter: this.#lines, prettyErrors: false });
    this.#root = document.contents;
    for (const { pos, message } of document.errors) this.#add(pos[0], '', message);
    visit(document, {
      Scalar: (_key, node) => {
        if (typeof node.value !== 'string') return;
        const plain = node.type === 'PLAIN';
        const filled = node.value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (whole, name: string) => {
          const value = variables[name];
          if (value === undefined)
            this.#add(node.range?.[0] ?? 0, '', `expected the variable ${name} to be set`);
          return value ?? whole;
        });
        // Without quotes a number stays a number, as everywhere in YAML.
        node.value = plain && filled !== node.value && /^\d+$/.test(filled) ? Number(filled) : filled;
      },
    });
    // An alias can make a short text unfold without end; the parser refuses, and that is a mistake like any other.
    try {
      this.value = document.errors.length === 0 ? document.toJS() : undefined;
    } catch (error) {
      this.#add(0, '', error instanceof Error ? error.message : String(error));
    }
  }

  mistake(path: Path, message: string, what: 'key' | 'value' = 'value'): void {
    const shown = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
    this.#add(this.#offset(path, what), shown.replace(/^\./, ''), message);
  }

  throwMistakes(): void {
    if (this.#mistakes.length === 0) return;
    throw new DeclarationError(this.#mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column));
  }

  #add(offset: number, path: string, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#mistakes.push({ line: Math.max(1, line), column: Math.max(1, col), path, message });
  }

  /** Where the value at `path` begins, or its key; for one that is missing, what it is missing from. */
  #offset(path: Path, what: 'key' | 'value'): number {
    let node: unknown = this.#root;
    let offset = 0;
    for (const [depth, part] of path.entries()) {
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
        if (pair === undefined) break;
        const wanted = what === 'key' && depth === path.length - 1 ? pair.key : pair.value;
        node = wanted;
        offset = begin(wanted) ?? begin(pair.key) ?? offset;
      } else if (isSeq(node)) {
        node = node.items[Number(part)];
        offset = begin(node) ?? offset;
      } else break;
      if (isAlias(node)) break;
    }
    return offset;
  }
}

function begin(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
