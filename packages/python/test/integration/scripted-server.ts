import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';

/** One request as it came in. */
export interface Seen {
  call: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** What a call is answered with: a status, a status with a body, or anything done to the response by hand. */
export type Answer =
  | number
  | { status: number; body: string }
  | ((response: ServerResponse, seen: Seen) => unknown);

/** Accepts the call and never answers. */
export const silence: Answer = () => {};

/** Cuts the connection. */
export const reset: Answer = (response) => {
  response.socket?.resetAndDestroy();
};

/** Answers with a head and half of the body that it promises, and cuts the connection. */
export const half: Answer = (response) => {
  response.writeHead(200, { 'content-length': 1000 }).write('{"state":"flat",');
  setTimeout(() => response.socket?.destroy(), 20);
};

/** Something that takes every connection and answers nothing, as a process that is stopped does. */
export async function frozenServer() {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * A real server on a free port of the loopback that plays a bot's API, or anything else. Calls are
 * keyed as `POST /drain`; one without an answer is 404. A list is used up one by one, its last answer stays.
 */
export async function scriptedServer(
  script: Record<string, Answer | Answer[]>,
  onSeen: (seen: Seen) => void = () => {},
) {
  const seen: Seen[] = [];
  const answers = new Map<string, Answer[]>();
  const set = (call: string, answer: Answer | Answer[]) =>
    answers.set(call, Array.isArray(answer) ? [...answer] : [answer]);
  for (const [call, answer] of Object.entries(script)) set(call, answer);

  const server = createServer(async (request, response) => {
    let body = '';
    try {
      for await (const chunk of request) body += chunk;
    } catch {
      return; // The caller has gone in the middle of its request.
    }
    const one = { call: `${request.method} ${request.url}`, headers: request.headers, body };
    seen.push(one);
    onSeen(one);
    const left = answers.get(one.call) ?? [404];
    const answer = (left.length > 1 ? left.shift() : left[0]) ?? 404;
    if (typeof answer === 'function') await answer(response, one);
    else if (typeof answer === 'number') response.writeHead(answer).end('{}');
    else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    set,
    calls: (call: string) => seen.filter((one) => one.call === call),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
