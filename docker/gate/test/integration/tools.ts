import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

const debianPackage: Record<string, string> = {
  bash: 'bash',
  busybox: 'busybox',
  curl: 'curl',
  dash: 'dash',
  shellcheck: 'shellcheck',
};

function find(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin', '/bin'];
  return folders
    .map((folder) => path.join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Where the programs are that these tests run the gate with. What is missing is installed where that is
 * possible (root on Debian or Ubuntu). Otherwise it is absent from the answer, and in CI that is an error:
 * a shell that nothing was tried with must not look tested.
 */
export function tools(names: readonly string[]): Map<string, string> {
  const missing = names.filter((name) => find(name) === undefined);
  if (missing.length > 0 && process.getuid?.() === 0 && find('apt-get') !== undefined) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    execFileSync('apt-get', ['-qq', 'update'], { env, stdio: 'ignore' });
    const packages = missing.map((name) => debianPackage[name] ?? name);
    execFileSync('apt-get', ['-qq', '-y', '--no-install-recommends', 'install', ...packages], {
      env,
      stdio: 'ignore',
    });
  }
  const found = new Map<string, string>();
  for (const name of names) {
    const file = find(name);
    if (file !== undefined) found.set(name, file);
    else if (process.env.CI) throw new Error(`The gate's tests need ${name} on the PATH; install it.`);
  }
  return found;
}
