import underPressure from '@fastify/under-pressure';
import fastify from 'fastify';
import { PORT, requestTimeChecks } from './checks.ts';

const checks = requestTimeChecks();
const app = fastify();
await app.register(underPressure, {
  exposeStatusRoute: '/readyz',
  healthCheck: async () => {
    await Promise.all(Object.values(checks).map((check) => check()));
    return true;
  },
});
await app.listen({ port: PORT, host: '127.0.0.1' });
