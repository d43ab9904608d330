import type { Server } from 'node:http';
import terminus, { type TerminusOptions } from '@godaddy/terminus';
import { type Duration, durationOption } from './duration.ts';
import { type HealthHandlerOptions, healthHandler } from './handler.ts';
import type { Monitor } from './monitor.ts';

/** Options of {@link terminusWithHealth}: those of terminus for the shutdown, and those of the health answers. */
export interface TerminusHealthOptions
  extends Omit<
      TerminusOptions,
      'healthChecks' | 'caseInsensitive' | 'sendFailuresDuringShutdown' | 'headers'
    >,
    Omit<HealthHandlerOptions, 'shuttingDown'> {
  /**
   * How long each of `beforeShutdown`, `onSignal` and `onShutdown` may take; one that hangs is reported to `logger` and
   * left behind. Default 30 s.
   */
  hookTimeout?: Duration;
  /** As in terminus, but true by default: as PID 1 of a container a process does not end by the signal that terminus sends again. */
  useExit0?: boolean;
}

/**
 * Lets terminus end a server, and answers health in its place: its own checks run at each request without a time
 * limit, miss `/healthz?x=1` and `/healthz/`, answer POST, may be cached and show the causes of an error as they are.
 * From the signal on `/readyz` is 503; at the end the monitor is closed. Call it when the server has its listeners, and
 * once per process for each signal.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function terminusWithHealth<S extends Server>(
  server: S,
  monitor: Monitor,
  options: TerminusHealthOptions = {},
): S {
  const { hookTimeout = 30_000, details, authorize, document, ...shutdown } = options;
  const hookTimeoutMs = durationOption('hookTimeout', hookTimeout, 1);
  let shuttingDown = false;
  const handler = healthHandler(monitor, {
    shuttingDown: () => shuttingDown,
    ...(details === undefined ? {} : { details }),
    ...(authorize === undefined ? {} : { authorize }),
    ...(document === undefined ? {} : { document }),
  });
  const listeners = server.rawListeners('request');
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const pass = (): void => {
      for (const listener of listeners) Reflect.apply(listener, server, [request, response]);
    };
    // Without a listener of its own a server has nothing to pass to, and the handler says 404.
    handler(request, response, listeners.length > 0 ? pass : undefined);
  });

  const bounded = (name: string, hook?: () => Promise<unknown>) => async (): Promise<void> => {
    if (hook === undefined) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      shutdown.logger?.(
        'a shutdown hook hangs',
        new Error(`${name} has not ended within ${hookTimeoutMs} ms; the shutdown goes on without it`),
      );
      resolve();
    }, hookTimeoutMs);
    try {
      await Promise.race([hook(), late]);
    } finally {
      clearTimeout(timer);
    }
  };
  const before = bounded('beforeShutdown', shutdown.beforeShutdown);
  const after = bounded('onShutdown', shutdown.onShutdown);
  return terminus.createTerminus(server, {
    useExit0: true,
    ...shutdown,
    // terminus adds to the list that it is given.
    signals: [...(shutdown.signals ?? [])],
    async beforeShutdown() {
      shuttingDown = true;
      await before();
    },
    onSignal: bounded('onSignal', shutdown.onSignal),
    async onShutdown() {
      await monitor.close();
      await after();
    },
  });
}
