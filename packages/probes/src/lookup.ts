import type { LookupFunction } from 'node:net';

/**
 * Finds the addresses of a host name: gives the `lookup` of one connection, which ends with `signal`. The one that Node
 * uses by itself runs in its four shared threads and cannot be cancelled: a name server that hangs holds up every other
 * lookup, and every file. One over `dns.Resolver` uses none of them.
 */
export type Lookup = (signal: AbortSignal) => LookupFunction;
