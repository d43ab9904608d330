import { isIP } from 'node:net';
import { refuse } from '@botwarden/service/http';
import type { Log } from '@botwarden/service/log';
import { same } from '@botwarden/service/token';
import type { RequestHandler } from 'express';
import type { Config } from '../config/config.ts';

type Access = Config['access'];

/** Whether an `Authorization` header opens the door. Pure. Without user or token configured every one does. */
export function isLetIn(header: string | undefined, { user, password, token }: Access): boolean {
  if (user === undefined && token === undefined) return true;
  const [, scheme = '', value = ''] = /^(\w+) +(.+)$/.exec(header ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return token !== undefined && same(value, token);
  if (scheme.toLowerCase() !== 'basic' || user === undefined || password === undefined) return false;
  return same(Buffer.from(value, 'base64').toString('utf8'), `${user}:${password}`);
}

/**
 * Whether the `Host` of a request can be ours. Pure. A page of a stranger can make its own name point at this machine
 * (DNS rebinding) and would then be of one origin with the dashboard; an address, `localhost` or a name without a dot
 * cannot be had that way.
 */
export function isOurHost(header: string | undefined, allowed: readonly string[]): boolean {
  const host = URL.parse(`http://${header ?? ''}`)?.hostname.toLowerCase() ?? '';
  if (host === '') return false;
  if (allowed.includes(host) || !host.includes('.') || host.endsWith('.localhost')) return true;
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** Whether a request may read what is here. Pure. Without user or token only the name it came by can speak against it. */
export function isReader(
  headers: { readonly authorization?: string | undefined; readonly host?: string | undefined },
  access: Access,
): boolean {
  const open = access.user === undefined && access.token === undefined;
  return open ? isOurHost(headers.host, access.allowedHosts) : isLetIn(headers.authorization, access);
}

/**
 * Whether a request that changes something comes from our own page, or from no page at all. Pure. `Sec-Fetch-Site` is
 * the browser's own word and cannot be set by a page; older browsers send `Origin`; what sends neither is no browser
 * and carries nobody's credentials unawares.
 */
export function isOurPage(headers: {
  readonly site: string | undefined;
  readonly origin: string | undefined;
  readonly host: string | undefined;
}): boolean {
  const { site, origin, host } = headers;
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || URL.parse(origin)?.host === host;
}

/** Lets in who may see and do things here. */
export function guardAccess(access: Access, log: Log): RequestHandler {
  const open = access.user === undefined && access.token === undefined;
  return (request, response, next) => {
    if (open && !isOurHost(request.get('host'), access.allowedHosts)) {
      return refuse(response, 421, 'WRONG_HOST', 'this name is not one of ALLOWED_HOSTS');
    }
    if (!isLetIn(request.get('authorization'), access)) {
      response.set(
        'WWW-Authenticate',
        access.user === undefined ? 'Bearer realm="botwarden"' : 'Basic realm="botwarden", charset="UTF-8"',
      );
      if (request.get('authorization') !== undefined)
        log.warn(
          { event: 'access.refused', from: request.ip },
          'Somebody came with the wrong password or token.',
        );
      return refuse(
        response,
        401,
        'UNAUTHORISED',
        'expected the user and password, or the token, of this dashboard',
      );
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const { 'sec-fetch-site': site, origin, host } = request.headers;
      if (!isOurPage({ site: [site].flat()[0], origin, host })) {
        return refuse(response, 403, 'CROSS_ORIGIN', 'another site asked for this; nothing was done');
      }
    }
    next();
  };
}
