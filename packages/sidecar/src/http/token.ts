import { refuse } from '@botwarden/service/http';
import { carries } from '@botwarden/service/token';
import type { Request, RequestHandler } from 'express';

/** What refuses a call without the right token. */
export interface TokenOptions {
  /** Without one, every call that needs it is off. */
  readonly drainToken: string | undefined;
  /** Told of each call that came with a wrong token. */
  readonly refused: (request: Request) => void;
}

/** Lets a call through when it carries the DRAIN_TOKEN; answers it with 401, or with 403 where none is configured. */
export function needsToken({ drainToken, refused }: TokenOptions): RequestHandler {
  return (request, response, next) => {
    if (drainToken === undefined) {
      const what = `${request.method} ${request.path}`;
      refuse(response, 403, 'DRAIN_OFF', `${what} is off; set DRAIN_TOKEN to switch it on`);
      return;
    }
    if (carries(request.get('authorization'), drainToken)) {
      next();
      return;
    }
    refused(request);
    response.set('WWW-Authenticate', 'Bearer realm="botwarden"');
    refuse(response, 401, 'DRAIN_UNAUTHORISED', 'expected Authorization: Bearer with the DRAIN_TOKEN');
  };
}
