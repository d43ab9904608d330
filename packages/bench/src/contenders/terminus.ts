import { createServer } from 'node:http';
import terminus from '@godaddy/terminus';
import express from 'express';
import { PORT, requestTimeChecks } from './checks.ts';

const checks = requestTimeChecks();
const server = createServer(express());
terminus.createTerminus(server, {
  healthChecks: { '/readyz': () => Promise.all(Object.values(checks).map((check) => check())) },
});
server.listen(PORT, '127.0.0.1');
