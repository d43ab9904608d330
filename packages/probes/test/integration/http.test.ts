import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadProbes } from '../../src/declared.ts';
import {
  httpProbe,
  type Lookup,
  modelProbe,
  type Probe,
  redisProbe,
  tcpProbe,
  tickProbe,
  tlsProbe,
} from '../../src/index.ts';
import { stoppedListener } from './stopped-listener.ts';
import { checkOnce, expectReleased, heldResources } from './watch.ts';

const cleanups: Array<() => void> = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server of raw connections; `open` are those that the other side has not closed. */
async function serveTcp(onConnection: (socket: Socket) => void) {
  const open = new Set<Socket>();
  let total = 0;
  const server = createTcpServer((socket) => {
    total += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    // Without reading, a server does not see that the other side has closed.
    socket.resume();
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/health`, open, total: () => total };
}

async function serve(listener: RequestListener, server: Server = createServer()): Promise<string> {
  server.on('request', listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const api = (url: string, options = {}) => httpProbe({ name: 'api', url, ...options });

describe('a server that does not answer in time is cut off at the time-out, and the socket is gone', () => {
  const silent = (): void => {};
  const headersOnly = (socket: Socket): void => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n');
  };
  const byteASecond = (socket: Socket): void => {
    headersOnly(socket);
    const timer = setInterval(() => socket.write(' '), 100);
    socket.on('close', () => clearInterval(timer));
  };
  const kinds: Record<string, (url: string, port: number) => Probe> = {
    httpProbe: (url) => api(url),
    modelProbe: (url) => modelProbe({ name: 'api', url }),
    'modelProbe with the Open Inference Protocol': (url) =>
      modelProbe({ name: 'api', url, protocol: 'open-inference', expected: ['m'] }),
    tickProbe: (url) => tickProbe({ name: 'api', url }),
    redisProbe: (_url, port) => redisProbe({ name: 'api', url: `redis://:secret@127.0.0.1:${port}` }),
    tlsProbe: (_url, port) => tlsProbe({ name: 'api', host: '127.0.0.1', port }),
  };
  test.each([
    ...Object.keys(kinds).map((kind) => ['accepts and never answers', silent, kind] as const),
    ['sends headers, then nothing', headersOnly, 'httpProbe'] as const,
    ['sends a byte at a time', byteASecond, 'httpProbe'] as const,
  ])('%s', async (_name, behave, kind) => {
    const server = await serveTcp(behave);
    const make = kinds[kind] as (url: string, port: number) => Probe;
    const view = await checkOnce(make(server.url, server.port));
    expect(view).toMatchObject({ status: 'fail', code: 'PROBE_TIMEOUT', output: 'no answer within 300 ms' });
    expect(server.total()).toBe(1);
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  test.skipIf(process.platform !== 'linux')('does not even accept', async () => {
    const stopped = await stoppedListener();
    cleanups.push(stopped.end);
    for (const probe of [
      api(`http://127.0.0.1:${stopped.port}/`),
      tcpProbe({ name: 'api', host: '127.0.0.1', port: stopped.port }),
    ]) {
      const held = heldResources();
      expect(await checkOnce(probe)).toMatchObject({ status: 'fail', code: 'PROBE_TIMEOUT' });
      await expectReleased(held);
    }
  });
});

describe('a lookup of your own', () => {
  const toLoopback =
    (names: string[]): Lookup =>
    () =>
    (name, _options, callback) => {
      names.push(name);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    };

  test('finds the host of every probe that connects', async () => {
    const names: string[] = [];
    const lookup = toLoopback(names);
    const { port } = await serveTcp((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
    const options = { name: 'api', host: 'bot.invalid', port, lookup };
    const probes = [
      api(`http://bot.invalid:${port}/`, { lookup }),
      tcpProbe(options),
      tlsProbe(options),
      redisProbe({ name: 'api', url: `redis://bot.invalid:${port}`, lookup }),
    ];
    for (const probe of probes) await checkOnce(probe, 5_000);
    expect(names).toEqual(['bot.invalid', 'bot.invalid', 'bot.invalid', 'bot.invalid']);
  });

  test('ends with the run of the probe', async () => {
    let ended = 0;
    const lookup: Lookup = (signal) => () => {
      signal.addEventListener('abort', () => {
        ended += 1;
      });
    };
    for (const probe of [
      api('http://bot.invalid/', { lookup }),
      tcpProbe({ name: 'api', host: 'bot.invalid', port: 80, lookup }),
    ])
      expect(await checkOnce(probe)).toMatchObject({ status: 'fail', code: 'PROBE_TIMEOUT' });
    expect(ended).toBe(2);
    await expectReleased({});
  });

  test('finds the hosts of declared probes', async () => {
    const names: string[] = [];
    const { port } = await serveTcp(() => undefined);
    const yaml = `probes: [{ type: tcp, name: api, host: bot.invalid, port: ${port} }]`;
    const { probes } = await loadProbes(yaml, { lookup: toLoopback(names) });
    for (const { probe } of probes) expect(await checkOnce(probe, 5_000)).toMatchObject({ status: 'pass' });
    expect(names).toEqual(['bot.invalid']);
  });
});

describe('an answer that proves nothing fails', () => {
  const json =
    (body: string): RequestListener =>
    (_request, response) => {
      response.setHeader('content-type', 'application/json').end(body);
    };
  const redirectLoop: RequestListener = (_request, response) => {
    response.writeHead(302, { location: '/again' }).end();
  };
  test.each<[string, RequestListener, (url: string) => Probe, string, string]>([
    ['500', (_q, r) => r.writeHead(500).end(), api, 'HTTP_STATUS', 'answered 500'],
    [
      'a redirect',
      redirectLoop,
      api,
      'HTTP_REDIRECT',
      'answered 302, a redirect, which is not followed; name the final URL',
    ],
    [
      'a redirect loop',
      redirectLoop,
      (url) => api(url, { maxRedirects: 5 }),
      'HTTP_REDIRECT',
      'still a redirect after following 5',
    ],
    [
      'not JSON',
      json('<html>'),
      (url) => api(url, { json: () => true }),
      'HTTP_NOT_JSON',
      'expected JSON from',
    ],
    [
      'half of JSON',
      json('{"status":'),
      (url) => api(url, { json: () => true }),
      'HTTP_NOT_JSON',
      'got "{\\"status\\":"',
    ],
    [
      'JSON that is not accepted',
      json('{"ok":false}'),
      (url) => api(url, { json: (body: { ok: boolean }) => body.ok }),
      'HTTP_UNEXPECTED_BODY',
      'a body that was not accepted',
    ],
    [
      'JSON to a predicate that forgot to return',
      json('{}'),
      (url) => api(url, { json: () => {} }),
      'HTTP_UNEXPECTED_BODY',
      'a body that was not accepted',
    ],
    [
      'models of another shape',
      json('{"models":{"a":true}}'),
      (url) => modelProbe({ name: 'api', url }),
      'MODELS_MALFORMED',
      'expected {"models":[…]}',
    ],
    [
      'a model whose state is text',
      json('{"models":[{"name":"a","loaded":"yes"}]}'),
      (url) => modelProbe({ name: 'api', url }),
      'MODELS_MALFORMED',
      'each model to have',
    ],
    [
      'null for models',
      json('null'),
      (url) => modelProbe({ name: 'api', url }),
      'MODELS_MALFORMED',
      'expected {"models":[…]}',
    ],
    [
      'no models',
      json('{"models":[]}'),
      (url) => modelProbe({ name: 'api', url }),
      'MODELS_NOT_LOADED',
      'expected at least one model',
    ],
    ['no tick', json('{}'), (url) => tickProbe({ name: 'api', url }), 'TICK_MISSING', 'got none'],
    [
      'an old tick',
      json('{"last_tick_at":"2020-01-01T00:00:00Z"}'),
      (url) => tickProbe({ name: 'api', url }),
      'TICK_STALE',
      'expected at most 60 s',
    ],
  ])('%s', async (_name, listener, make, code, output) => {
    const url = await serve(listener);
    const view = await checkOnce(make(url));
    expect(view).toMatchObject({ status: 'fail', code });
    expect(view.output).toContain(output);
  });

  test('a body of 100 MB is left at the limit', async () => {
    let sent = 0;
    const url = await serve((_request, response) => {
      const chunk = Buffer.alloc(64 * 1024, 0x20);
      const pump = (): void => {
        while (sent < 100e6 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', pump);
        }
        response.end();
      };
      pump();
    });
    expect(await checkOnce(api(url), 5000)).toMatchObject({ status: 'fail', code: 'HTTP_BODY_TOO_LARGE' });
    await expectReleased({});
    expect(sent).toBeLessThan(50e6);
  });

  test('a reset, before or in the middle of the answer', async () => {
    const reset = await serveTcp((socket) => socket.resetAndDestroy());
    expect(await checkOnce(api(reset.url))).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    const half = await serveTcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":', () => socket.resetAndDestroy());
    });
    expect(await checkOnce(api(half.url))).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    const short = await serveTcp((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":'),
    );
    expect(await checkOnce(api(short.url))).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    const garbage = await serveTcp((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    expect(await checkOnce(api(garbage.url))).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    await expectReleased({});
  });

  test('a refused connection, and a name that does not exist', async () => {
    const gone = await serveTcp(() => {});
    for (const cleanup of cleanups.splice(0)) cleanup();
    const refused = await checkOnce(api(gone.url));
    expect(refused).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    expect(refused.output).toContain('ECONNREFUSED');
    const unknown = await checkOnce(api('http://user:hunter2@nowhere.invalid/'), 5000);
    expect(unknown).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    expect(unknown.output).toContain('nowhere.invalid');
    expect(JSON.stringify(unknown)).not.toContain('hunter2');
    await expectReleased({});
  });
});

describe('what works passes', () => {
  test('with credentials from the URL, sent as a header and kept from another origin', async () => {
    const seen: Array<string | undefined> = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === '/' ? '/next' : other }).end();
    });
    const probe = api(url.replace('//', '//u:p%40ss@'), { maxRedirects: 2 });
    expect(await checkOnce(probe)).toMatchObject({ status: 'pass' });
    const token = { headers: { Authorization: 'Bearer t' }, maxRedirects: 2 };
    expect(await checkOnce(api(url, token))).toMatchObject({ status: 'pass' });
    const basic = `Basic ${Buffer.from('u:p@ss').toString('base64')}`;
    expect(seen).toEqual([basic, basic, undefined, 'Bearer t', 'Bearer t', undefined]);
  });

  test('models by name, by the Open Inference Protocol, and an empty list where none is expected', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/models')
        response.end('{"models":[{"name":"a","loaded":true},{"name":"b","loaded":false}]}');
      else if (request.url === '/none') response.end('{"models":[]}');
      else response.writeHead(request.url?.includes('broken') ? 400 : 200).end();
    });
    const check = (options: object) => checkOnce(modelProbe({ name: 'm', url: `${url}/models`, ...options }));
    expect(await check({ expected: ['a'] })).toMatchObject({ status: 'pass' });
    expect(await check({ expected: ['a', 'b'] })).toMatchObject({
      status: 'fail',
      code: 'MODELS_NOT_LOADED',
    });
    expect(await check({ expected: [] })).toMatchObject({ status: 'fail', code: 'MODELS_NOT_LOADED' });
    expect(await check({ url: `${url}/none`, expected: 'none' })).toMatchObject({ status: 'pass' });
    const inference = { protocol: 'open-inference', url };
    expect(await check({ ...inference, expected: ['good'] })).toMatchObject({ status: 'pass' });
    const broken = await check({ ...inference, expected: ['good', 'broken'] });
    expect(broken).toMatchObject({ status: 'fail', code: 'MODELS_NOT_LOADED' });
    expect(broken.output).toContain('broken');
  });
});

describe('TLS', () => {
  const DAY = 86_400_000;
  async function serveTls(fromDays: number, toDays: number) {
    const pair = await generate([{ name: 'commonName', value: 'localhost' }], {
      notBeforeDate: new Date(Date.now() + fromDays * DAY),
      notAfterDate: new Date(Date.now() + toDays * DAY),
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    } as never);
    const url = await serve(
      (_q, r) => r.end('{}'),
      createTlsServer({ key: pair.private, cert: pair.cert }) as never,
    );
    return { port: Number(new URL(url).port), ca: pair.cert };
  }
  const tls = (server: { port: number; ca?: string }) =>
    tlsProbe({ name: 'cert', host: 'localhost', ...server });

  test.each([
    [90, 'pass', undefined, 'ends in 89 days'],
    [10, 'warn', undefined, 'ends in 9 days'],
    [2, 'fail', 'TLS_EXPIRES', 'ends in 1 days'],
  ] as const)('a certificate with %d days left', async (days, status, code, says) => {
    const view = await checkOnce(tls(await serveTls(-1, days)), 5000);
    expect(view).toMatchObject({ status, ...(code === undefined ? {} : { code }) });
    expect(view.output ?? view.last?.output).toContain(says);
  });

  test('an expired certificate fails both probes and says so', async () => {
    const server = await serveTls(-30, -1);
    expect(await checkOnce(tls(server), 5000)).toMatchObject({ status: 'fail', code: 'TLS_EXPIRES' });
    const view = await checkOnce(api(`https://localhost:${server.port}/`, { ca: server.ca }), 5000);
    expect(view).toMatchObject({ status: 'fail', code: 'HTTP_UNREACHABLE' });
    expect(view.output).toContain('expired');
  });

  test('a certificate that nobody vouches for, or of another name, fails', async () => {
    const { port, ca } = await serveTls(-1, 90);
    expect(await checkOnce(tls({ port }), 5000)).toMatchObject({ code: 'TLS_UNREACHABLE' });
    const other = tlsProbe({ name: 'cert', host: 'localhost', port, ca, servername: 'example.org' });
    expect(await checkOnce(other, 5000)).toMatchObject({ code: 'TLS_UNREACHABLE' });
    expect(await checkOnce(api(`https://localhost:${port}/`, { ca }), 5000)).toMatchObject({
      status: 'pass',
    });
    await expectReleased({});
  });
});

test('Redis passes on PONG alone', async () => {
  const answers: Record<string, string> = { AUTH: '+OK', PING: '+PONG' };
  const server = await serveTcp((socket) => {
    socket.on('data', (data) => socket.write(`${answers[/(AUTH|PING)/.exec(String(data))?.[0] ?? '']}\r\n`));
  });
  const check = () =>
    checkOnce(redisProbe({ name: 'cache', url: `redis://:hunter22@127.0.0.1:${server.port}` }));
  expect(await check()).toMatchObject({ status: 'pass' });
  answers.PING = '-LOADING Redis is loading the dataset in memory';
  expect(await check()).toMatchObject({ status: 'fail', code: 'DATABASE_UNEXPECTED_ANSWER' });
  answers.AUTH = '-WRONGPASS invalid username-password pair';
  expect((await check()).output).toContain('WRONGPASS');
  await expectReleased({});
});
