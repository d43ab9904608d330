/** One thing that was looked at. */
export interface Finding {
  /** The call it is about, like `GET /health`. */
  readonly call: string;
  /** What a bot should do there. */
  readonly expected: string;
  /** `fails`: the contract is not met. `warns`: it is, but a guard that rests on this is lost. `skipped`: not tried. */
  readonly outcome: 'meets' | 'warns' | 'fails' | 'skipped';
  /** What came, and what to do about it; empty where all is well. */
  readonly advice: string;
}

/** The contract is not met. */
export const fails = (call: string, expected: string, advice: string): Finding => ({
  call,
  expected,
  outcome: 'fails',
  advice,
});
/** Not tried. */
export const skipped = (call: string, expected: string, advice: string): Finding => ({
  call,
  expected,
  outcome: 'skipped',
  advice,
});
/** Met, or fails with this advice. */
export const judge = (call: string, expected: string, met: boolean, advice: string): Finding => ({
  call,
  expected,
  outcome: met ? 'meets' : 'fails',
  advice: met ? '' : advice,
});
/** Met, or warns with this advice. */
export const advise = (call: string, expected: string, met: boolean, advice: string): Finding => ({
  call,
  expected,
  outcome: met ? 'meets' : 'warns',
  advice: met ? '' : advice,
});
