import type { ErrorRequestHandler, RequestHandler, Response } from 'express';

/** Says no, as JSON: a stable code, and a sentence. */
export function refuse(response: Response, status: number, code: string, message: string): void {
  response.status(status).json({ error: { code, message } });
}

/** Answers are of this moment: nobody may keep them. */
export const neverStored: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};

/** 405 for `path`, which has the methods that `allow` lists. */
export function methodNotAllowed(path: string, allow: string): RequestHandler {
  return (request, response) => {
    response.set('Allow', allow);
    refuse(response, 405, 'METHOD_NOT_ALLOWED', `${request.method} is not a method of ${path}`);
  };
}

/** 404 for everything that nothing else answered; `there` ends the sentence with what there is. */
export function notFound(there = ''): RequestHandler {
  return (request, response) => {
    const asked = `${request.method} ${request.path.slice(0, 100)}`;
    refuse(response, 404, 'NOT_FOUND', `there is no ${asked} here${there}`);
  };
}

/** Answers what a handler threw: 4xx for what the caller did wrong, else 500, which `onDefect` is told of. */
export function failed(onDefect: (error: unknown) => void): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: Error & { status?: number }, _request, response, _next) => {
    const { status: given = 500 } = error;
    const status = given >= 400 && given < 500 ? given : 500;
    if (status === 500) onDefect(error);
    if (response.headersSent) response.destroy();
    else
      refuse(
        response,
        status,
        status === 500 ? 'INTERNAL' : 'BAD_REQUEST',
        'the request could not be answered',
      );
  };
}
