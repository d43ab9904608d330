// The limit: node:http and nothing else. Each path is answered with the head and the body that ANSWERS has for it, in
// one write: the head goes out together with a body that is text. JavaScript, so that its start is that of Node alone.
import { createServer } from 'node:http';

/** @type {Record<string, { status: number, headers: string[], body: string }>} */
const answers = JSON.parse(process.env.ANSWERS ?? '{}');
createServer((request, response) => {
  const answer = answers[request.url];
  response.writeHead(answer.status, answer.headers).end(answer.body);
}).listen(Number(process.env.PORT), '127.0.0.1');
