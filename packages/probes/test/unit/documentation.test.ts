import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeApi } from '../../scripts/api.ts';

const api = describeApi();
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('every exported name, option and member has a doc comment', () => {
  expect(api.undocumented).toEqual([]);
});

test('the API page is the one that the sources tell; after a change run: pnpm run generate', () => {
  expect(read('docs/api.md')).toBe(api.markdown);
});

test('every value that is exported is on the API page', async () => {
  for (const [specifier, names] of Object.entries(api.names)) {
    const module = (await import(specifier)) as object;
    for (const name of Object.keys(module)) expect(names, specifier).toContain(name);
  }
});

test('the list of exports is this one', () => {
  expect(api.names).toMatchSnapshot();
});

test('the README links to files that exist, and names every probe', () => {
  const readme = read('README.md');
  for (const [, link] of readme.matchAll(/\]\(([^)#]+)\)/g)) {
    expect(existsSync(new URL(`../../${link}`, import.meta.url)), link).toBe(true);
  }
  for (const name of api.names['@botwarden/probes']?.filter((known) => /^[a-z]\w*Probe$/.test(known)) ?? []) {
    expect(readme).toContain(`\`${name}\``);
  }
});
