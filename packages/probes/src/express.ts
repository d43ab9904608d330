import { Router } from 'express';
import { type HealthHandlerOptions, healthHandler } from './handler.ts';
import type { Monitor } from './monitor.ts';

/**
 * An Express 5 router that answers `/livez`, `/readyz`, `/startupz` and `/healthz` below the path it is mounted at, and
 * lets every other request through.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function healthRouter(monitor: Monitor, options: HealthHandlerOptions = {}): Router {
  const handler = healthHandler(monitor, options);
  return Router().use((request, response, next) => handler(request, response, next));
}
