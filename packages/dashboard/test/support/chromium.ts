import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where a browser is, or why there is none. */
export type Found = { readonly path: string } | { readonly missing: string };

/** Finds Chromium, and installs Debian's where that can be done. In CI a missing one is an error, elsewhere a reason to skip. */
export async function findChromium(): Promise<Found> {
  const path = PLACES.find(existsSync) ?? (await install());
  if (path !== undefined) return { path };
  const missing =
    'no Chromium: install it with "apt-get install chromium" (done by itself where that runs as root)';
  if (process.env.CI !== undefined && process.env.CI !== '')
    throw new Error(`CI needs the browser tests; ${missing}`);
  return { missing };
}

/** Starts it, with a profile of its own that is deleted at the end. It speaks to nobody but the page. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

async function install(): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update', '-qq'], { env, timeout: 120_000 });
    await run(
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'],
      {
        env,
        timeout: 400_000,
        maxBuffer: 64 * 1024 * 1024,
      },
    );
  } catch {
    // No network, or another apt-get at work: then there is none, and who asked is told so.
  }
  return PLACES.find(existsSync);
}
