import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ProbeError, ProbeOptionError } from '../errors.ts';
import type { Observation, Probe } from '../probe.ts';
import { withSocket } from '../socket.ts';
import { assertSocketOptions, type SocketProbeOptions } from './tcp.ts';

/** Options of {@link tlsProbe}. */
export interface TlsProbeOptions extends SocketProbeOptions {
  /** The name that the certificate must be for. Default `host`. */
  servername?: string;
  /** Fails when the certificate ends in fewer days. Default 3. */
  minDays?: number;
  /** Warns when the certificate ends in fewer days. Default 14. */
  warnDays?: number;
  /** Certificates to trust in place of the system's, as PEM. Default: those of the system. */
  ca?: string;
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number;
}

const DAY_MS = 86_400_000;

/**
 * Makes a TLS handshake and reads the certificate. Passes when it is trusted, for the right name, and has days left;
 * its value is that number of days.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function tlsProbe(options: TlsProbeOptions): Probe {
  assertSocketOptions(options);
  const { name, host, port, lookup, minDays = 3, warnDays = 14, ca, now = Date.now } = options;
  if (!(minDays >= 0)) throw new ProbeOptionError('minDays', 'a number of days of at least 0', minDays);
  if (!(warnDays >= minDays))
    throw new ProbeOptionError('warnDays', `at least minDays, ${minDays}`, warnDays);
  // A server name must be no address (RFC 6066, 3); the certificate is then checked against the host.
  const servername = options.servername ?? (isIP(host) === 0 ? host : undefined);
  const tls = { ...(servername === undefined ? {} : { servername }), ...(ca === undefined ? {} : { ca }) };
  return {
    name,
    measurement: 'certificate',
    async run(signal) {
      let validTo: string;
      try {
        validTo = await withSocket({ host, port, tls, lookup }, signal, (socket) => {
          return (socket as TLSSocket).getPeerCertificate().valid_to;
        });
      } catch (cause) {
        if (signal.aborted) throw cause;
        if ((cause as { code?: unknown }).code === 'CERT_HAS_EXPIRED') {
          throw new ProbeError('TLS_EXPIRES', `the certificate of ${host}:${port} has expired; renew it`);
        }
        throw new ProbeError('TLS_UNREACHABLE', `no trusted TLS connection to ${host}:${port}`, { cause });
      }
      return expectDaysLeft(new Date(validTo), now());
    },
  };

  function expectDaysLeft(end: Date, at: number): Observation {
    const days = Math.floor((end.getTime() - at) / DAY_MS);
    const says = `the certificate of ${host}:${port} ends in ${days} days`;
    // Written so that a date that is none fails.
    if (!(days >= minDays))
      throw new ProbeError('TLS_EXPIRES', `${says}; expected at least ${minDays}; renew it`);
    return {
      status: days < warnDays ? 'warn' : 'pass',
      value: days,
      unit: 'd',
      output: says,
      details: { valid_to: end.toISOString() },
    };
  }
}
