import { existsSync } from 'node:fs';

/** Work of the thread pool, by the names that Node gives to what is under way. */
const THREAD_WORK = /FSReq|AddrInfo|NameInfo|FileHandle|Job$|Zlib|Brotli/;

/**
 * Ends the process with `code`, also where one of its threads is stuck in the kernel: in a file on a disk that hangs,
 * or in the lookup of a name. `process.exit` waits for such a thread for ever, and a signal would lose the code; so the
 * process becomes a shell that exits with it. Give it `process`.
 */
export function endProcess(process: NodeJS.Process, code: number): never {
  if (process.getActiveResourcesInfo().some((name) => THREAD_WORK.test(name)) && existsSync('/bin/sh')) {
    process.execve?.('/bin/sh', ['sh', '-c', `exit ${Number(code)}`], {});
  }
  return process.exit(code);
}
