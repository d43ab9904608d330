import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Duration, durationOption } from '../duration.ts';
import { ProbeError, ProbeOptionError } from '../errors.ts';
import { assertProbeName, type Probe } from '../probe.ts';

/** Options of {@link eventLoopProbe}. */
export interface EventLoopProbeOptions {
  /** Unique within a monitor. */
  name: string;
  /** Fails when the loop was held up for longer. Default 1 s. */
  maxDelay?: Duration;
  /** Warns when the loop was held up for longer. Default 200 ms. */
  warnDelay?: Duration;
}

const RESOLUTION_MS = 10;

/**
 * Asks for how long the event loop of this process was held up at most since the last run. The first run begins to
 * measure, and passes.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function eventLoopProbe(options: EventLoopProbeOptions): Probe {
  assertProbeName(options.name);
  const maxDelayMs = durationOption('maxDelay', options.maxDelay ?? 1000, 1);
  const warnDelayMs = durationOption('warnDelay', options.warnDelay ?? Math.min(200, maxDelayMs), 1);
  if (warnDelayMs > maxDelayMs) {
    throw new ProbeOptionError('warnDelay', `at most maxDelay, ${maxDelayMs} ms`, warnDelayMs);
  }
  let histogram: ReturnType<typeof monitorEventLoopDelay> | undefined;
  return {
    name: options.name,
    measurement: 'delay',
    componentType: 'system',
    run() {
      if (histogram === undefined) {
        histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
        histogram.enable();
        return undefined;
      }
      // It records the time between two turns of its own timer, which is the resolution when nothing holds it up.
      const delayMs =
        histogram.count === 0 ? 0 : Math.max(0, Math.round(histogram.max / 1e6 - RESOLUTION_MS));
      histogram.reset();
      const says = `the event loop was held up for ${delayMs} ms`;
      if (delayMs > maxDelayMs) {
        throw new ProbeError('EVENT_LOOP_DELAYED', `${says}; expected at most ${maxDelayMs} ms`);
      }
      return { status: delayMs > warnDelayMs ? 'warn' : 'pass', value: delayMs, unit: 'ms', output: says };
    },
    close() {
      histogram?.disable();
    },
  };
}
