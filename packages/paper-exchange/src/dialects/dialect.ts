import type { Key, Keys } from '../keys.ts';
import type { Account } from '../venue/account.ts';
import type { History } from '../venue/history.ts';
import type { Reason } from '../venue/rejection.ts';
import type { Venue } from '../venue/venue.ts';
import type { Answer, Refusal, Route, WireRequest } from '../wire/call.ts';

/** What a handler needs. */
export interface Scene {
  readonly venue: Venue;
  readonly history: History;
  /** Of whoever asks; of nobody, without orders, in a public call. */
  readonly account: Account;
  readonly request: WireRequest;
}

/** One call of a dialect. */
export interface Handler extends Route {
  /** Does what is asked. Throws a Rejection. */
  readonly answer: (scene: Scene) => Answer;
}

/** How one real exchange speaks. */
export interface Dialect {
  readonly name: string;
  /** Undefined where the dialect has no such call. */
  readonly handler: (request: WireRequest) => Handler | undefined;
  /** Whose request this is, or why it is nobody's. */
  readonly authenticate: (request: WireRequest, keys: Keys, now: number) => Key | Refusal;
  /** The exchange's own number and words. */
  readonly refuse: (why: Refusal | Reason, request: WireRequest) => Answer;
}

/** Status 200 with a body. */
export const ok = (body: unknown): Answer => ({ status: 200, body });
