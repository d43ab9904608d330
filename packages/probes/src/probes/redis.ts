import type { Socket } from 'node:net';
import { ProbeError, ProbeOptionError } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import { assertProbeName, type Probe } from '../probe.ts';
import { withSocket } from '../socket.ts';

/** Options of {@link redisProbe}. */
export interface RedisProbeOptions {
  /** Unique within a monitor. */
  name: string;
  /** `redis://user:password@host:6379`, or `rediss:` with TLS. Never shown. */
  url: string | URL;
  /** Certificates to trust in place of the system's, as PEM. Default: those of the system. */
  ca?: string;
  /** Finds the address of the host. Default: as Node does by itself, in its shared threads. */
  lookup?: Lookup;
}

/**
 * Sends PING to a Redis, or whatever speaks its protocol, over a connection of its own. Passes on PONG alone: a server
 * that is loading its data, or wants a password, fails.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function redisProbe(options: RedisProbeOptions): Probe {
  assertProbeName(options.name);
  const url = URL.parse(String(options.url));
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    // The value itself is not quoted: it may hold a password.
    throw new ProbeOptionError('url', 'a URL such as redis://user:password@host:6379', 'a text that is none');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const target = {
    host,
    port: Number(url.port || 6379),
    lookup: options.lookup,
    ...(url.protocol === 'rediss:' ? { tls: options.ca === undefined ? {} : { ca: options.ca } } : {}),
  };
  const credentials = [url.username, url.password].filter((part) => part !== '').map(decodeURIComponent);
  return {
    name: options.name,
    componentType: 'datastore',
    async run(signal) {
      let answer: string;
      try {
        answer = await withSocket(target, signal, async (socket) => {
          if (credentials.length > 0) {
            const accepted = await ask(socket, ['AUTH', ...credentials]);
            if (accepted !== '+OK') return accepted;
          }
          return ask(socket, ['PING']);
        });
      } catch (cause) {
        if (signal.aborted) throw cause;
        throw new ProbeError('TCP_UNREACHABLE', `no answer from Redis at ${host}:${target.port}`, { cause });
      }
      if (answer !== '+PONG') {
        throw new ProbeError(
          'DATABASE_UNEXPECTED_ANSWER',
          `expected PONG from Redis at ${host}:${target.port}, got ${answer}`,
        );
      }
    },
  };
}

/** Sends one command and reads one line, as in the Redis serialization protocol. */
function ask(socket: Socket, command: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let received = '';
  const onData = (chunk: Buffer): void => {
    received += chunk.toString('latin1');
    const end = received.indexOf('\r\n');
    if (end === -1 && received.length < 1000) return;
    resolve(received.slice(0, end === -1 ? 1000 : end));
  };
  const onError = (error: Error): void => reject(error);
  const onClose = (): void => reject(new Error('the connection was closed'));
  socket.on('data', onData).on('error', onError).on('close', onClose);
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  socket.write(`*${command.length}\r\n${parts.join('')}`);
  return promise.finally(() => {
    socket.off('data', onData).off('error', onError).off('close', onClose);
  });
}
