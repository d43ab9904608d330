import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A listener to which no connection is ever made. */
export interface StoppedListener {
  readonly port: number;
  readonly end: () => void;
}

/**
 * A listener whose queue is full and whose process is stopped: the kernel lets every connection attempt wait. On Linux
 * only.
 */
export async function stoppedListener(): Promise<StoppedListener> {
  const program = `const s = require('net').createServer();
    s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.stdout.write(String(s.address().port)))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(said);
  child.kill('SIGSTOP');
  const sockets: Socket[] = [];
  for (let filled = 0; filled < 2; filled += 1) {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
  }
  return {
    port,
    end() {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
