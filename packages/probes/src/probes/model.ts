import { ProbeError, ProbeOptionError } from '../errors.ts';
import type { Observation, Probe } from '../probe.ts';
import { type HttpTarget, type HttpTargetOptions, httpTarget } from './http.ts';

/** A model as a server reports it. */
export interface ReportedModel {
  /** The name of the model. */
  readonly name: string;
  /** Whether it can be asked now. */
  readonly loaded: boolean;
  /** Where the server tells one. */
  readonly version?: string;
}

/** Which models must be loaded: names; `any` for at least one; `none` where an empty list is right. */
export type ExpectedModels = readonly string[] | 'any' | 'none';

/** Options of {@link modelProbe}. */
export interface ModelProbeOptions extends HttpTargetOptions {
  /**
   * What `url` serves. `table` (default): one call that answers `{"models":[{"name","loaded"}]}`. `open-inference`:
   * the base URL of a server that speaks the Open Inference Protocol v2 (Triton, MLServer, TorchServe), which is asked
   * `v2/health/ready` and then `v2/models/{name}/ready` for each expected name.
   */
  protocol?: 'table' | 'open-inference';
  /** Names that must be loaded; others may be unloaded. Default `any`: at least one, and none of the reported unloaded. */
  expected?: ExpectedModels;
}

/**
 * Asks a model server whether its models are loaded. Zero models fail unless `expected` is `none`.
 *
 * @throws {ProbeOptionError} when an option cannot work; `open-inference` needs names.
 */
export function modelProbe(options: ModelProbeOptions): Probe {
  const { protocol = 'table', expected = 'any' } = options;
  if (protocol === 'open-inference') return openInferenceProbe(options, expected);
  const target = httpTarget(options);
  return {
    name: options.name,
    measurement: 'loaded',
    run: async (signal) => expectModels(parseModels(await target.askJson(signal), target.label), expected),
  };
}

/**
 * Judges what a server reports. Passes when each expected model is loaded; where none is named, when each reported one
 * is, and there is at least one (or `none` was expected).
 *
 * @throws {ProbeError} `MODELS_NOT_LOADED`, naming what is missing.
 */
export function expectModels(models: readonly ReportedModel[], expected: ExpectedModels): Observation {
  const loaded = new Set(models.filter((model) => model.loaded).map((model) => model.name));
  const named = typeof expected === 'string' ? [] : expected;
  // No names at all ask no less than `any`: else an empty list would pass with nothing loaded.
  const wanted = named.length > 0 ? named : models.map((model) => model.name);
  const missing = [...new Set(wanted)].filter((name) => !loaded.has(name));
  if (missing.length > 0) {
    throw new ProbeError(
      'MODELS_NOT_LOADED',
      `expected these models to be loaded: ${missing.join(', ')}; loaded are ${[...loaded].join(', ') || 'none'}`,
    );
  }
  if (models.length === 0 && expected !== 'none') {
    throw new ProbeError('MODELS_NOT_LOADED', 'expected at least one model, the server reports none');
  }
  return { value: loaded.size, unit: 'count', details: { models: models.map((model) => ({ ...model })) } };
}

/**
 * Reads the table `{"models":[{"name":"…","loaded":true,"version":"…"}]}`.
 *
 * @throws {ProbeError} `MODELS_MALFORMED` when it is of another shape.
 */
export function parseModels(body: unknown, label: string): ReportedModel[] {
  const models =
    body !== null && typeof body === 'object' ? (body as { models?: unknown }).models : undefined;
  if (!Array.isArray(models)) throw malformed(label, '{"models":[…]}');
  return models.map((model: unknown) => {
    const { name, loaded, version } = (model ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string' || typeof loaded !== 'boolean') {
      throw malformed(label, 'each model to have a "name" and "loaded": true or false');
    }
    return { name, loaded, ...(typeof version === 'string' ? { version } : {}) };
  });
}

function malformed(label: string, expected: string): ProbeError {
  return new ProbeError('MODELS_MALFORMED', `expected ${expected} from ${label}`);
}

function openInferenceProbe(options: ModelProbeOptions, expected: ExpectedModels): Probe {
  if (typeof expected === 'string' || expected.length === 0) {
    throw new ProbeOptionError(
      'expected',
      'the names of the models, as this protocol has no list of them',
      expected,
    );
  }
  const names = expected;
  const at = (path: string): HttpTarget => httpTarget({ ...options, url: below(options.url, path) });
  const server = at('v2/health/ready');
  const models = names.map((name) => ({ name, target: at(`v2/models/${encodeURIComponent(name)}/ready`) }));
  return {
    name: options.name,
    measurement: 'loaded',
    async run(signal) {
      const ready = await server.ask(signal);
      if (ready.status !== 200) {
        throw new ProbeError(
          'HTTP_STATUS',
          `${server.label} answered ${ready.status}; expected 200 from a ready server`,
        );
      }
      const reported = await Promise.all(
        models.map(async ({ name, target }) => ({ name, loaded: (await target.ask(signal)).status === 200 })),
      );
      return expectModels(reported, names);
    },
  };
}

/** `path` below a base URL, whose query is kept. What is no URL is given back, for the target to refuse. */
function below(base: string | URL, path: string): string | URL {
  const url = URL.parse(String(base));
  if (url === null) return base;
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}
