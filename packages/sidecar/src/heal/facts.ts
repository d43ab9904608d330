/** What is known of the bot at one moment, as healing needs it. */
export interface Facts {
  /**
   * - `answers`: its last run passed.
   * - `fails`: it answers that it is ill (5xx, or a status that is not "ok"), past the threshold.
   * - `silent`: something is there and does not answer in time, past the threshold.
   * - `refuses`: what answers there cannot be mended by a restart: 401, 404, a certificate, a body of another shape.
   * - `gone`: nothing is there to talk to, so that a new boot may be on its way.
   * - `unnamed`: its host name does not resolve: it is gone, or the name is wrong.
   * - `unknown`: none of these yet.
   */
  readonly api: 'answers' | 'fails' | 'silent' | 'refuses' | 'gone' | 'unnamed' | 'unknown';
  /** What the boot that answered, well or ill, calls itself; null where it does not say, or did not answer. */
  readonly instance: string | null;
  /** The boot whose gate holds the lease; null when nobody does. */
  readonly lease: string | null;
  /** Every critical probe passes. */
  readonly ready: boolean;
  /** It is halted, as after a drain: its loop need not turn, so that being ready proves little. */
  readonly halted: boolean;
  /**
   * The trading loop hangs, past the threshold: its last tick is too `old`, or it has not run once since the bot `began`.
   * Null while it does not, or need not tick.
   */
  readonly loopHangs: 'old' | 'began' | null;
  /** The models are not loaded, past the threshold; false where those that are missing are none of this bot's. */
  readonly modelsMissing: boolean;
  /** The bot says `disconnected`, past the threshold, while the sidecar's own connection works. */
  readonly databaseLost: boolean;
  /** What the sidecar's own connection says of the database. */
  readonly database: 'up' | 'down' | 'unknown';
  /** A drain runs, a person's drain stands, or maintenance: nothing may be restarted. */
  readonly held: boolean;
  /** There was a drain since the boot that is known now began: its end was asked for. */
  readonly drained: boolean;
  /** Somebody carries out verdicts: a gate holds the lease, or somebody else polls `/livez`. */
  readonly heeded: boolean;
}
