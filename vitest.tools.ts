import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

// Programs that are in no npm package: the shells that docker/deploy is tried with, a browser, a Prometheus, a load generator. What is missing
// is installed where that can be done (as root on Debian), once and before any test begins: apt-get is for one at a time.

/** Debian's packages, by the program that each brings. */
const PACKAGES = {
  bash: ['bash'],
  busybox: ['busybox'],
  chromium: ['chromium', 'fonts-dejavu-core'],
  curl: ['curl'],
  dash: ['dash'],
  shellcheck: ['shellcheck'],
  wrk: ['wrk'],
  // Unpacked only: to install it would start a server.
  prometheus: [],
  promtool: [],
} as const satisfies Record<string, readonly string[]>;

/** Go modules, by the program that each brings. */
const MODULES = {
  actionlint: 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12',
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.0',
} as const;

/** Packages of PyPI, by the program that each brings. */
const WHEELS = {
  'kubernetes-validate': 'kubernetes-validate==1.37.0',
  zizmor: 'zizmor==1.32.0',
} as const;

/** A program that the tests need and npm does not have. */
export type Tool = keyof typeof PACKAGES | keyof typeof MODULES | keyof typeof WHEELS;

const NAMES = Object.keys(PACKAGES) as (keyof typeof PACKAGES)[];
const cache = path.join(import.meta.dirname, 'node_modules/.cache/botwarden');
const unpacked = path.join(cache, 'debian');
const modules = path.join(cache, 'go');
const wheels = path.join(cache, 'python-tools');

/** Where a program is; undefined when it is not here. In CI that is an error: what nothing was tried with must not look tested. */
export function tool(name: Tool): string | undefined {
  const file = find(name);
  if (file === undefined && process.env.CI) throw new Error(`CI needs ${name} for its tests; install it.`);
  return file;
}

function find(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter),
    '/usr/bin',
    '/bin',
    path.join(unpacked, 'usr/bin'),
    modules,
    path.join(wheels, 'bin'),
  ];
  return folders.map((folder) => path.join(folder, name)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Before the tests: installs what is missing, if it can. */
export default function setup(): void {
  for (const install of [installPackages, installModules, installWheels]) {
    try {
      install();
    } catch (error) {
      // No network, say. Who needs what is missing says so: skipped, or in CI an error.
      process.stderr.write(`the tests go on without what could not be installed: ${error}\n`);
    }
  }
}

const missingOf = <Name extends Tool>(table: Readonly<Record<Name, string>>): string[] =>
  Object.entries<string>(table)
    .filter(([name]) => find(name as Name) === undefined)
    .map(([, source]) => source);

function installModules(): void {
  for (const source of missingOf(MODULES)) {
    execFileSync('go', ['install', source], {
      cwd: '/',
      env: { ...process.env, GOBIN: modules, GOFLAGS: '' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 600_000,
    });
  }
}

function installWheels(): void {
  const missing = missingOf(WHEELS);
  if (missing.length === 0) return;
  const python = path.join(wheels, 'bin/python');
  const options = { stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'], timeout: 600_000 };
  if (find('zizmor') === undefined) execFileSync('python3', ['-m', 'venv', '--clear', wheels], options);
  const quietly = ['--quiet', '--no-input', '--disable-pip-version-check'];
  execFileSync(python, ['-m', 'pip', 'install', ...quietly, ...missing], options);
}

function installPackages(): void {
  const missing = NAMES.filter((name) => find(name) === undefined);
  if (missing.length === 0 || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  const apt = (args: readonly string[], cwd = '/') =>
    execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      cwd,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 600_000,
    });
  apt(['update']);
  const packages = missing.flatMap((name) => PACKAGES[name]);
  if (packages.length > 0) apt(['-y', '--no-install-recommends', 'install', ...packages]);
  if (missing.includes('prometheus') || missing.includes('promtool')) {
    rmSync(unpacked, { recursive: true, force: true });
    mkdirSync(unpacked, { recursive: true });
    apt(['download', 'prometheus'], unpacked);
    execFileSync('sh', ['-c', 'dpkg -x prometheus_*.deb . && rm prometheus_*.deb'], { cwd: unpacked });
  }
}
