/**
 * Whether the sidecar says that the bot's trading loop turns, from its `/healthz`. Pure. Anything that is not a clear
 * yes is a no.
 */
export function isTickFresh(body: unknown): boolean {
  const check = (body as { checks?: Record<string, unknown> } | null)?.checks?.['tick:age'];
  const first = Array.isArray(check) ? (check[0] as { status?: unknown } | undefined) : undefined;
  return first?.status === 'pass';
}
