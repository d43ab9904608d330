import { createJsonCaller } from '@botwarden/service/json-call';

/** What the emergency endpoint is told: counts are `null` when unknown, lists only where the bot sent them. */
export interface EmergencyNotice {
  readonly drain_id: string;
  readonly reason: string;
  readonly boot: string | null;
  readonly bot_instance: string | null;
  readonly open_positions: number | null;
  readonly pending_orders: number | null;
  readonly positions: {
    readonly open: readonly unknown[] | null;
    readonly pending: readonly unknown[] | null;
  };
}

/** One try at telling the emergency endpoint; resolves when it answered 2xx. */
export type EmergencyCall = (notice: EmergencyNotice, signal: AbortSignal) => Promise<void>;

/**
 * The call to `EMERGENCY_CLOSE_URL`: a POST of the notice as JSON, with the drain id as `Idempotency-Key`; redirects
 * are not followed. Rejects with a CallError. Throws a TypeError for a URL that is not absolute http or https.
 */
export function createEmergencyCall(options: { readonly url: string | URL }): EmergencyCall {
  const caller = createJsonCaller({ url: options.url });
  return async (notice, signal) => {
    await caller.call(
      {
        method: 'POST',
        path: '',
        headers: { 'idempotency-key': notice.drain_id },
        body: notice,
        accept: (status) => status >= 200 && status < 300,
        json: false,
      },
      signal,
    );
  };
}
