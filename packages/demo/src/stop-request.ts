/** That the demo should stop, from whoever may say so. */
export interface StopRequest {
  /** Aborts at the first request; its reason is what {@link StopRequest.ask} was given. */
  readonly signal: AbortSignal;
  /** Asks for a stop, and says why: a signal's name, or a sentence. */
  readonly ask: (why: string) => void;
  /** Calls `listener` at every request after the first. */
  readonly onAgain: (listener: (why: string) => void) => void;
}

/** Makes one. */
export function createStopRequest(): StopRequest {
  const stop = new AbortController();
  const listeners: Array<(why: string) => void> = [];
  return {
    signal: stop.signal,
    ask(why) {
      if (!stop.signal.aborted) stop.abort(why);
      else for (const listener of listeners) listener(why);
    },
    onAgain: (listener) => void listeners.push(listener),
  };
}
