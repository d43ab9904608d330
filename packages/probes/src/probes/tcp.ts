import { ProbeError, ProbeOptionError } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import { assertProbeName, type Probe } from '../probe.ts';
import { withSocket } from '../socket.ts';

/** Where a probe connects. */
export interface SocketProbeOptions {
  /** Unique within a monitor. */
  name: string;
  /** A host name or an IP address. */
  host: string;
  /** From 1 to 65535. */
  port: number;
  /** Finds the address of the host. Default: as Node does by itself, in its shared threads. */
  lookup?: Lookup;
}

/** Options of {@link tcpProbe}. */
export interface TcpProbeOptions extends SocketProbeOptions {}

/**
 * Opens a TCP connection and closes it. Passes when it was accepted, which a process that hangs still does: where a
 * protocol is known, ask in it.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function tcpProbe(options: TcpProbeOptions): Probe {
  assertSocketOptions(options);
  const { name, host, port, lookup } = options;
  return {
    name,
    async run(signal) {
      try {
        await withSocket({ host, port, lookup }, signal, () => undefined);
      } catch (cause) {
        if (signal.aborted) throw cause;
        throw new ProbeError('TCP_UNREACHABLE', `no connection to ${host}:${port}`, { cause });
      }
    },
  };
}

/** @throws {ProbeOptionError} when an option cannot work. */
export function assertSocketOptions({ name, host, port }: SocketProbeOptions): void {
  assertProbeName(name);
  if (typeof host !== 'string' || host === '')
    throw new ProbeOptionError('host', 'a host name or an IP address', host);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ProbeOptionError('port', 'a whole number from 1 to 65535', port);
  }
}
