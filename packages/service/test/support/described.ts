import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

// Every answer that any test gets with fetch from a server that describes itself is held against its description.

interface Answer {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, unknown>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { responses?: Record<string, Answer> }>>>>;
}
interface Described {
  readonly document: Document;
  readonly ajv: Ajv2020;
}

const servers = new Map<string, Described>();
const plain = globalThis.fetch;

/** Until `exited`, what this server answers to `fetch` must be as an OpenAPI 3.1 document says. */
export function answersAs(url: string, document: object, exited: Promise<unknown>): void {
  globalThis.fetch = held;
  // The form of a time is tested where times are made.
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'openapi');
  const { origin } = new URL(url);
  const described = { document: document as Document, ajv };
  servers.set(origin, described);
  void exited.then(() => servers.get(origin) === described && servers.delete(origin));
}

const held: typeof fetch = async (input, init) => {
  const response = await plain(input, init);
  const url = new URL(input instanceof Request ? input.url : input);
  const described = servers.get(url.origin);
  const type = (response.headers.get('content-type') ?? '').replace(/;.*/, '');
  if (described === undefined || !type.endsWith('json') || init?.method === 'HEAD') return response;
  const text = await response
    .clone()
    .text()
    .catch(() => undefined);
  if (text !== undefined) hold(described, init?.method ?? 'GET', url, response.status, type, text);
  return response;
};

function hold(
  { document, ajv }: Described,
  method: string,
  { pathname }: URL,
  status: number,
  type: string,
  text: string,
): void {
  const path = pathOf(document, pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname);
  const call = `${method} ${pathname} ${status}`;
  // What is on no path of the document is answered with 404, and a method that is on none with 405.
  if (path === undefined) return;
  const described = document.paths[path]?.[method.toLowerCase()]?.responses?.[String(status)];
  if (described === undefined) {
    // Refusals that all calls have in common, and those of a bot, need not be described one by one.
    if (status >= 400) return;
    throw new Error(`${call} is not in the description of the server: ${text.slice(0, 300)}`);
  }
  const place =
    described.$ref?.slice(1) ??
    `/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1')}/${method.toLowerCase()}/responses/${status}`;
  const escaped = `${place}/content/${type.replaceAll('/', '~1')}/schema`;
  const validate = ajv.getSchema(`openapi#${encodeURI(escaped)}`) as ValidateFunction | undefined;
  if (validate === undefined) throw new Error(`${call}: ${type} is not in the description of the server`);
  if (validate(JSON.parse(text)) !== true)
    throw new Error(
      `${call} is not as the server describes it: ${ajv.errorsText(validate.errors)}: ${text.slice(0, 1000)}`,
    );
}

/** The path of the document that this one is, `/bots/{bot}` for `/bots/btc`; undefined where it has none. */
function pathOf(document: Document, pathname: string): string | undefined {
  if (document.paths[pathname] !== undefined) return pathname;
  return Object.keys(document.paths).find((path) => {
    const [parts, given] = [path.split('/'), pathname.split('/')];
    return (
      path.includes('{') &&
      parts.length === given.length &&
      parts.every((part, at) => part.startsWith('{') || part === given[at])
    );
  });
}
