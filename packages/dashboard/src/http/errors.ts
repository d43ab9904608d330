import type { Response } from 'express';

/** Says no, as JSON: a stable code, and a sentence. */
export function refuse(response: Response, status: number, code: string, message: string): void {
  response.status(status).json({ error: { code, message } });
}
