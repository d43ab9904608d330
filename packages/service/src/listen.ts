import type { Server } from 'node:http';

/** Why nothing can listen there, as a sentence; null when it listens. */
export function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const failed = (error: NodeJS.ErrnoException): void => {
    const why =
      error.code === 'EADDRINUSE'
        ? 'the port is already taken; set PORT, or stop what has it'
        : error.message;
    resolve(`Nothing can listen on ${host}:${port}: ${why}.`);
  };
  server.once('error', failed);
  server.listen(port, host, () => {
    server.off('error', failed);
    resolve(null);
  });
  return promise;
}

/** The port that a server listens on; `otherwise` where it listens on none. */
export function portOf(server: Server, otherwise: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : otherwise;
}
