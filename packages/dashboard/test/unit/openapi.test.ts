import { expect, it } from 'vitest';
import { openApi } from '../../src/http/openapi.ts';
import { VERSION } from '../../src/version.ts';

interface Call {
  responses: Record<string, { description?: string; content?: object }>;
  parameters?: { name: string; in: string }[];
}
const document = openApi() as {
  openapi: string;
  info: { version: string };
  paths: Record<string, { get: Call; parameters?: Call['parameters'] }>;
};

it('is OpenAPI 3.1 of this version', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info.version).toBe(VERSION);
});

it('describes every answer, and every part of a path', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const { description, content } of Object.values(item.get.responses)) {
      expect(description).toBeTruthy();
      expect(Object.keys(content ?? {})).not.toEqual([]);
    }
    const declared = [...(item.parameters ?? []), ...(item.get.parameters ?? [])]
      .filter((parameter) => parameter.in === 'path')
      .map(({ name }) => name);
    expect(declared, path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  }
});

it('has no references that lead nowhere, and nothing but JSON', () => {
  const text = JSON.stringify(document);
  expect(JSON.parse(text)).toEqual(document);
  for (const [, at = ''] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const found = at
      .split('/')
      .reduce<unknown>((one, key) => (one as Record<string, unknown>)?.[key], document);
    expect(found, at).toBeDefined();
  }
});
