import type { IncomingHttpHeaders } from 'node:http';

/** What a call is for, whatever a dialect's path for it is. Faults are aimed at these. */
export type CallName =
  | 'time'
  | 'instruments'
  | 'currencies'
  | 'ticker'
  | 'depth'
  | 'candles'
  | 'account'
  | 'balance'
  | 'brackets'
  | 'position-mode'
  | 'positions'
  | 'orders'
  | 'trigger-orders'
  | 'order'
  | 'place'
  | 'place-trigger'
  | 'cancel'
  | 'cancel-trigger'
  | 'cancel-all'
  | 'cancel-all-trigger'
  | 'cancel-after'
  | 'leverage';

/** A request, read whole. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  /** The query as it was sent, without the question mark. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What goes back. A `body` that is no text is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What a route does. */
export interface Route {
  readonly call: CallName;
  /** What the key must be allowed; `public` needs no key. */
  readonly needs: 'public' | 'read' | 'trade';
}

/** Why an exchange as a whole does not do what was asked; each dialect has its own number and words for it. */
export type Refusal =
  | 'unknown-key'
  | 'bad-signature'
  | 'not-permitted'
  | 'clock'
  | 'too-many-requests'
  | 'banned'
  | 'busy'
  | 'maintenance'
  | 'unknown-outcome';
