// node health-contender.ts NAME: one contender in a process of its own; tells its parent where it listens.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Monitor } from '@botwarden/probes';
import { requestTimeChecks, targets } from './health-checks.ts';

type Start = () => Promise<{ port: number; path: string }>;

const listen = async (server: Server, path: string): Promise<{ port: number; path: string }> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, path };
};
const serve = (listener: RequestListener, path: string) => listen(createServer(listener), path);

async function monitor(): Promise<Monitor> {
  const { createMonitor, httpProbe, modelProbe } = await import('@botwarden/probes');
  const { postgresProbe } = await import('@botwarden/probes/postgres');
  const watching = createMonitor({
    probes: [
      httpProbe({
        name: 'api',
        url: targets.api,
        json: (body) => (body as { status?: string }).status === 'ok',
      }),
      postgresProbe({ name: 'database', connectionString: targets.database }),
      modelProbe({ name: 'models', url: targets.models }),
    ],
    spread: 0,
  });
  watching.start();
  return watching;
}

const CONTENDERS: Record<string, Start> = {
  'node:http': () =>
    serve((_request, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': 15 })
        .end('{"status":"ok"}');
    }, '/'),
  'botwarden, node:http': async () => {
    const { healthHandler } = await import('@botwarden/probes');
    return serve(healthHandler(await monitor()), '/readyz');
  },
  'botwarden, node:http, details': async () => {
    const { healthHandler } = await import('@botwarden/probes');
    return serve(healthHandler(await monitor(), { details: 'always' }), '/healthz');
  },
  'botwarden, express': async () => {
    const { default: express } = await import('express');
    const { healthRouter } = await import('@botwarden/probes/express');
    return serve(express().use(healthRouter(await monitor())), '/readyz');
  },
  '@godaddy/terminus': async () => {
    const { default: terminus } = await import('@godaddy/terminus');
    const checks = requestTimeChecks();
    const server = createServer((_request, response) => response.end());
    terminus.createTerminus(server, {
      healthChecks: { '/health': () => Promise.all(Object.values(checks).map((check) => check())) },
    });
    return listen(server, '/health');
  },
  'lightship (no checks)': async () => {
    const { createLightship } = await import('lightship');
    const lightship = await createLightship({ detectKubernetes: false, port: 0 });
    lightship.signalReady();
    return { port: (lightship.server.address() as AddressInfo).port, path: '/ready' };
  },
  '@fastify/under-pressure': async () => {
    const { default: fastify } = await import('fastify');
    const { default: underPressure } = await import('@fastify/under-pressure');
    const checks = requestTimeChecks();
    const app = fastify();
    await app.register(underPressure, {
      exposeStatusRoute: '/status',
      healthCheck: async () => {
        await Promise.all(Object.values(checks).map((check) => check()));
        return true;
      },
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { port: (app.server.address() as AddressInfo).port, path: '/status' };
  },
  '@nestjs/terminus': async () => {
    await import('reflect-metadata');
    const { Controller, Get, Inject, Module } = await import('@nestjs/common');
    const { NestFactory } = await import('@nestjs/core');
    const { HealthCheckService, TerminusModule } = await import('@nestjs/terminus');
    const checks = requestTimeChecks();
    class HealthController {
      readonly health: InstanceType<typeof HealthCheckService>;
      constructor(health: InstanceType<typeof HealthCheckService>) {
        this.health = health;
      }
      check(): Promise<unknown> {
        return this.health.check(
          Object.entries(checks).map(([name, check]) => async () => {
            await check();
            return { [name]: { status: 'up' as const } };
          }),
        );
      }
    }
    class AppModule {}
    // Decorators as functions: their syntax is not erasable.
    const method = Object.getOwnPropertyDescriptor(HealthController.prototype, 'check') as PropertyDescriptor;
    Inject(HealthCheckService)(HealthController, undefined, 0);
    Get()(HealthController.prototype, 'check', method);
    Controller('health')(HealthController);
    Module({ imports: [TerminusModule], controllers: [HealthController] })(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false });
    const server = (await app.listen(0, '127.0.0.1')) as Server;
    return { port: (server.address() as AddressInfo).port, path: '/health' };
  },
};

/** Names, in the order of the table; the first is what the others are compared to. */
export const CONTENDER_NAMES = Object.keys(CONTENDERS);

if (import.meta.main) {
  const start = CONTENDERS[process.argv[2] ?? ''];
  if (start === undefined) throw new Error(`no contender is called ${process.argv[2]}`);
  process.on('message', () => process.send?.({ rss: process.memoryUsage().rss }));
  process.on('disconnect', () => process.exit());
  process.send?.({ listening: await start() });
}
