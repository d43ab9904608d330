import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether two secrets are the same. Compares digests, so that neither time nor length tells how much of a guess was right. */
export function same(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** Whether an `Authorization` header carries `token` as a bearer token. */
export function carries(header: string | undefined, token: string): boolean {
  const match = /^Bearer +(.+)$/i.exec(header ?? '');
  return same(match?.[1] ?? '', token);
}
