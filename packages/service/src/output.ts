import { write, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Lines that go out without anybody ever waiting for them. */
export interface Output {
  /** Takes one line, its newline included. Returns at once. */
  readonly write: (line: string) => void;
  /** Waits until every line is out, `ms` milliseconds at most. True when every line is. */
  readonly flush: (ms: number) => Promise<boolean>;
}

/** Options of {@link openOutput}. */
export interface OutputOptions {
  /** The file descriptor to write to. It belongs to the output alone. */
  readonly fd: number;
  /** How much may wait, in bytes. When more would, the oldest lines are dropped. Default 1 MiB. */
  readonly maxBytes?: number;
  /** The line that stands where `lines` lines were dropped, its newline included. */
  readonly dropped: (lines: number) => string;
}

/** Writes what it can at once, and calls back when the rest is out; with an error, `rest` is what is not. */
type Send = (bytes: Buffer, done: (error: NodeJS.ErrnoException | null, rest: Buffer) => void) => void;

/** How much is given away at a time, in bytes. */
const BATCH_BYTES = 65_536;

const NEWLINE = 10;

/** After a full disk refused a line, the next try is made so many milliseconds later. */
const RETRY_MS = 1_000;

/**
 * Opens an output on a file descriptor. A pipe or a socket takes a line at once, and the process never sleeps in one
 * that nobody reads. A file is written by another thread, so that a disk that hangs holds up nothing. While nothing can
 * be written the newest lines are kept, and how many were dropped is written in their place.
 */
export function openOutput({ fd, maxBytes = 1_048_576, dropped }: OutputOptions): Output {
  const waiting: Buffer[] = [];
  let bytes = 0;
  let lost = 0;
  let busy = false;
  let closed = false;
  /** Whether what went out ends in the middle of a line. */
  let torn = false;
  const flushers = new Set<() => void>();
  const send = sender(fd, () => {
    // Its reader has gone, and no other can come.
    closed = true;
    waiting.length = 0;
    bytes = 0;
  });

  function pump(): void {
    while (!busy && !closed && waiting.length > 0) {
      if (lost > 0) {
        const notice = Buffer.from(`${torn ? '\n' : ''}${dropped(lost)}`);
        lost = 0;
        waiting.unshift(notice);
        bytes += notice.length;
      }
      const batch = take();
      busy = true;
      send(batch, (error, rest) => {
        busy = false;
        if (error === null) {
          torn = false;
          pump();
          return;
        }
        // What is left goes out first, unless it is dropped meanwhile.
        if (rest.length < batch.length) torn = batch[batch.length - rest.length - 1] !== NEWLINE;
        waiting.unshift(rest);
        bytes += rest.length;
        busy = true;
        setTimeout(() => {
          busy = false;
          pump();
        }, RETRY_MS).unref();
      });
    }
    if (!busy || closed) for (const flushed of flushers) flushed();
  }

  function take(): Buffer {
    const batch: Buffer[] = [];
    for (let size = 0; waiting[0] !== undefined; ) {
      size += waiting[0].length;
      if (batch.length > 0 && size > BATCH_BYTES) break;
      batch.push(waiting.shift() as Buffer);
    }
    const all = Buffer.concat(batch);
    bytes -= all.length;
    return all;
  }

  return {
    write(text) {
      if (closed) return;
      const line = Buffer.from(text);
      waiting.push(line);
      bytes += line.length;
      pump();
      while (bytes > maxBytes && waiting[0] !== undefined) {
        bytes -= waiting[0].length;
        waiting.shift();
        lost += 1;
      }
    },
    async flush(ms) {
      const isOut = (): boolean => closed || (!busy && waiting.length === 0);
      if (isOut()) return true;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      flushers.add(resolve);
      await promise;
      clearTimeout(timer);
      flushers.delete(resolve);
      return isOut();
    },
  };
}

function sender(fd: number, onClosed: () => void): Send {
  const socket = socketOn(fd);
  return socket === undefined ? fileSender(fd) : socketSender(fd, socket, onClosed);
}

/** The descriptor as a socket; undefined where it is a file or a terminal. */
function socketOn(fd: number): Socket | undefined {
  try {
    return new Socket({ fd, readable: false, writable: true });
  } catch {
    return undefined;
  }
}

/** A pipe. The socket has switched it to non-blocking: a write that would have to wait fails with EAGAIN. */
function socketSender(fd: number, socket: Socket, onClosed: () => void): Send {
  socket.on('error', onClosed);
  socket.on('close', onClosed);
  socket.unref();
  return (bytes, done) => {
    let written = 0;
    try {
      // Not through the socket, which would take the next line only after this turn of the event loop.
      written = writeSync(fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        onClosed();
        done(null, bytes);
        return;
      }
    }
    const rest = bytes.subarray(written);
    if (rest.length === 0) done(null, rest);
    // The error of a closed pipe comes as an event.
    else socket.write(rest, () => done(null, rest));
  };
}

/** A file or a terminal, written in the thread pool. */
function fileSender(fd: number): Send {
  const send: Send = (bytes, done) => {
    write(fd, bytes, 0, bytes.length, null, (error, written) => {
      const rest = bytes.subarray(written ?? 0);
      if (error !== null) done(error, bytes);
      else if (rest.length === 0) done(null, rest);
      else send(rest, done);
    });
  };
  return send;
}
