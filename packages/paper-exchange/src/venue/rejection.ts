/**
 * Why the venue does not do what was asked; each dialect has its own number and words for it.
 */
export type Reason =
  | 'reduce-only'
  | 'wrong-position-side'
  | 'funds'
  | 'would-take'
  | 'unfillable'
  | 'unknown-order'
  | 'same-client-id'
  | 'size-step'
  | 'size-too-small'
  | 'size-too-large'
  | 'cost-too-small'
  | 'bad-request';

/** What was asked is not done, and nothing has changed. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}
