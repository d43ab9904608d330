import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { botOpenApi } from '../../src/bot/contract.ts';

// openapi.yaml is written by hand; the program serves it from what this makes of it, which a bundle can hold.
// openapi-bot.yaml is for whoever writes a bot.
const top = new URL('../../', import.meta.url);
const served = parse(readFileSync(new URL('openapi.yaml', top), 'utf8'));
writeFileSync(new URL('src/http/openapi.json', top), `${JSON.stringify(served, null, 2)}\n`);
writeFileSync(
  new URL('openapi-bot.yaml', top),
  stringify(botOpenApi(), { aliasDuplicateObjects: false, lineWidth: 110 }),
);
