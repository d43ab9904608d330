import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';

/** What the server says of a name: an IPv4 address, that there is none, that it failed, or nothing at all. */
export type NameAnswer = string | 'none' | 'failed' | 'silence';

/** A name server on loopback, for tests. */
export interface NameServer {
  /** `address:port`. */
  readonly server: string;
  /** From now on the answer for `name`, after `delayMs` milliseconds. A name that was never set does not exist. */
  readonly set: (name: string, answer: NameAnswer, delayMs?: number) => void;
  /** The names that were asked for, each question for an IPv4 address once. */
  readonly asked: () => readonly string[];
  readonly close: () => Promise<void>;
}

const CODES = { none: 3, failed: 2 } as const;
const A = 1;

/** Starts a name server (RFC 1035) that answers as it is told. */
export async function startNameServer(): Promise<NameServer> {
  const answers = new Map<string, { answer: NameAnswer; delayMs: number }>();
  const asked: string[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, type, end } = questionOf(query);
    if (type === A) asked.push(name);
    const { answer, delayMs } = answers.get(name) ?? { answer: 'none', delayMs: 0 };
    if (answer === 'silence') return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      reply(query.subarray(0, end), type, answer, from);
    }, delayMs);
    timers.add(timer);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');

  function reply(question: Buffer, type: number, answer: NameAnswer, { port, address }: RemoteInfo): void {
    const code = answer === 'none' || answer === 'failed' ? CODES[answer] : 0;
    const records = code === 0 && type === A ? 1 : 0;
    const header = Buffer.from([
      question[0] ?? 0,
      question[1] ?? 0,
      0x81,
      0x80 | code,
      0,
      1,
      0,
      records,
      0,
      0,
      0,
      0,
    ]);
    // A pointer to the name in the question, type A, class IN, no time to live, four bytes.
    const record = [0xc0, 12, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, ...answer.split('.').map(Number)];
    socket.send(
      Buffer.concat([header, question.subarray(12), Buffer.from(records === 1 ? record : [])]),
      port,
      address,
    );
  }

  return {
    server: `127.0.0.1:${socket.address().port}`,
    set: (name, answer, delayMs = 0) => void answers.set(name, { answer, delayMs }),
    asked: () => asked,
    async close() {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
      await once(socket, 'close');
    },
  };
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}
