// Writes what is made of the sources and published beside them: the API page and the schema of declared probes.
import { writeFileSync } from 'node:fs';
import { publishedSchema } from '../src/declared-schema.ts';
import { describeApi } from './api.ts';

const at = (path: string): URL => new URL(`../${path}`, import.meta.url);
writeFileSync(at('docs/api.md'), describeApi().markdown);
writeFileSync(at('probes.schema.json'), `${JSON.stringify(publishedSchema(), null, 2)}\n`);
