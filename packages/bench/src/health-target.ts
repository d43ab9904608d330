// The bot that the contenders watch, in a process of its own.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const ANSWERS: Record<string, string> = {
  '/health': '{"status":"ok"}',
  '/models': '{"models":[{"name":"price","loaded":true}]}',
};
const server = createServer((request, response) => {
  const body = ANSWERS[request.url ?? ''];
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(body);
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());
