import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Lookup } from './lookup.ts';

/** Where to connect; with `tls`, the handshake is part of it. */
export interface SocketTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: ConnectionOptions;
  /** Finds the address of the host; without one, Node does. */
  readonly lookup?: Lookup | undefined;
}

/** Opens a connection, lends it to `use`, and destroys it whatever comes: the end of `use`, an error, or the signal. */
export async function withSocket<T>(
  { host, port, tls, lookup }: SocketTarget,
  signal: AbortSignal,
  use: (socket: Socket) => T | Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const target = { host, port, ...(lookup === undefined ? {} : { lookup: lookup(signal) }) };
  const socket = tls === undefined ? connectTcp(target, resolve) : connectTls({ ...tls, ...target }, resolve);
  // Stays to the end: an error of a socket without a listener would end this whole process.
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the connection was closed')));
  const onAbort = (): void => {
    reject(signal.reason);
    socket.destroy();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
    return await use(socket);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}
