import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { Router } from 'express';

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f5fbf"/><path d="M8 17l5 5L24 10" fill="none" stroke="#fff" stroke-width="4"/></svg>`;

/**
 * Serves the few files that the page is made of, read once: nothing comes from anywhere else. `folder` has them as the
 * build left them, or else as sources, whose types are stripped here.
 */
export function createAssets(folder: URL): Router {
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
  const built = existsSync(new URL('page.js', folder));
  const assets: Record<string, { type: string; body: string }> = {
    'page.js': {
      type: 'text/javascript',
      body: built ? read('page.js') : stripTypeScriptTypes(read('page.ts')),
    },
    'idiomorph.js': {
      type: 'text/javascript',
      body: built
        ? read('idiomorph.js')
        : readFileSync(createRequire(folder).resolve('idiomorph/dist/idiomorph.esm.js'), 'utf8'),
    },
    'style.css': { type: 'text/css', body: read('style.css') },
    'icon.svg': { type: 'image/svg+xml', body: ICON },
  };
  const router = Router();
  for (const [name, { type, body }] of Object.entries(assets)) {
    const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`;
    router.get(`/${name}`, (_request, response) => {
      // Asked again each time and mostly answered with 304: a new version is never mixed with an old page.
      response.set({ 'Cache-Control': 'no-cache', ETag: tag }).type(type).send(body);
    });
  }
  return router;
}
