import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { changed } from './gate-process.ts';

const TYPES: Readonly<Record<number, 'A' | 'AAAA'>> = { 1: 'A', 28: 'AAAA' };

/** One question as it came in. */
export interface Question {
  name: string;
  type: 'A' | 'AAAA' | undefined;
  data: Buffer;
}

/** A reply to a question: its code (0 found, 2 failed, 3 unknown name), and the addresses as bytes. */
export function reply(
  { data }: Question,
  code: number,
  addresses: readonly (readonly number[])[] = [],
): Buffer {
  const question = data.subarray(12);
  const head = Buffer.from(data.subarray(0, 12));
  head[2] = 0x81;
  head[3] = 0x80 | code;
  head.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) => {
    const record = Buffer.from([
      0xc0,
      12,
      0,
      address.length === 4 ? 1 : 28,
      0,
      1,
      0,
      0,
      0,
      60,
      0,
      address.length,
    ]);
    return Buffer.concat([record, Buffer.from(address)]);
  });
  return Buffer.concat([head, question, ...records]);
}

export const LOOPBACK = [127, 0, 0, 1];
export const LOOPBACK_6 = [...Array(15).fill(0), 1];

/**
 * A real name server on a free port of the loopback, and a way to start the gate that makes it ask there. `answer`
 * gives the datagrams to reply with, each after some milliseconds.
 */
export async function nameServer(
  answer: (question: Question) => Buffer | readonly (readonly [number, Buffer])[] | null,
  { resolv = '', hosts = '' } = {},
) {
  const folder = mkdtempSync(path.join(tmpdir(), 'gate-names-'));
  const files = { resolv: path.join(folder, 'resolv.conf'), hosts: path.join(folder, 'hosts') };
  writeFileSync(files.resolv, `nameserver 127.0.0.1\n${resolv}`);
  writeFileSync(files.hosts, hosts);
  const asked: string[] = [];
  let script = answer;
  const socket = createSocket('udp4');
  socket.on('message', (data, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = data[at] ?? 0; length > 0; length = data[at] ?? 0) {
      labels.push(data.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const question = { name: labels.join('.'), type: TYPES[data.readUInt16BE(at + 1)], data };
    asked.push(`${question.name} ${question.type}`);
    const replies = script(question);
    const sent: readonly (readonly [number, Buffer])[] = Buffer.isBuffer(replies)
      ? [[0, replies]]
      : (replies ?? []);
    for (const [delay, datagram] of sent)
      setTimeout(() => closed || socket.send(datagram, port, address), delay);
  });
  let closed = false;
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    /** What was asked for, as `name TYPE`. */
    asked,
    /** Changes how it answers from now on. */
    set: (next: typeof answer) => {
      script = next;
    },
    way: {
      gate: changed(
        `gate.RESOLV_FILE = ${JSON.stringify(files.resolv)}`,
        `gate.HOSTS_FILE = ${JSON.stringify(files.hosts)}`,
        `gate.DNS_PORT = ${socket.address().port}`,
      ),
    },
    [Symbol.dispose]() {
      closed = true;
      socket.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
