import { readFileSync } from 'node:fs';

/** One exported name, as its source tells of it. */
interface Declared {
  readonly name: string;
  readonly doc: string;
  readonly signature: string;
  readonly members: ReadonlyArray<{ signature: string; name: string; doc: string }>;
}

interface Manifest {
  readonly name: string;
  readonly exports: Record<string, string>;
}

const root = new URL('../', import.meta.url);
const source = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** The API page, made of the doc comments, and what of the API has none. */
export function describeApi(): { markdown: string; undocumented: string[]; names: Record<string, string[]> } {
  const manifest = JSON.parse(source('package.json')) as Manifest;
  const sections: string[] = [];
  const undocumented: string[] = [];
  const names: Record<string, string[]> = {};
  for (const [subpath, path] of Object.entries(manifest.exports)) {
    if (!path.endsWith('.ts')) continue;
    const specifier = manifest.name + subpath.slice(1);
    const declared = exportsOf(path.slice(2)).toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
    names[specifier] = declared.map(({ name }) => name);
    sections.push(`## \`${specifier}\`\n`, ...declared.map(sectionOf));
    for (const { name, doc, members } of declared) {
      if (doc === '') undocumented.push(`${specifier}: ${name}`);
      for (const member of members)
        if (member.doc === '') undocumented.push(`${specifier}: ${name}.${member.name}`);
    }
  }
  const intro = '# API\n\nMade of the doc comments by `pnpm run generate`; do not edit.\n';
  return { markdown: [intro, ...sections].join('\n'), undocumented, names };
}

function sectionOf({ name, doc, signature, members }: Declared): string {
  const rows = members.map((member) => `- \`${member.signature}\`: ${member.doc.replace(/\s+/g, ' ')}`);
  return [
    `### \`${name}\`\n`,
    '```ts',
    signature,
    '```\n',
    `${doc}\n`,
    ...(rows.length > 0 ? [`${rows.join('\n')}\n`] : []),
  ].join('\n');
}

function exportsOf(path: string): Declared[] {
  const text = source(path);
  const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/([^']*)';$/gm)];
  return [
    ...declarationsIn(text),
    ...passedOn.flatMap(([, list = '', file]) => {
      const there = declarationsIn(source(`src/${file}`));
      const wanted = list.split(',').map((name) => name.replace(/\btype\b/, '').trim());
      return wanted
        .filter((name) => name !== '')
        .map((name) => {
          const found = there.find((declared) => declared.name === name);
          if (found === undefined) throw new Error(`${path} exports ${name}, which ${file} does not declare`);
          return found;
        });
    }),
  ];
}

/** The exported declarations of a formatted source: what is closed, or ends, at the margin belongs together. */
function declarationsIn(text: string): Declared[] {
  const lines = text.split('\n');
  const declared: Declared[] = [];
  let doc = '';
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line.startsWith('/**')) {
      ({ doc, index } = readComment(lines, index));
      continue;
    }
    const [, kind, name = ''] =
      /^export (?:async )?(interface|type|function|const|class) (\w+)/.exec(line) ?? [];
    if (kind !== undefined) {
      const ends = kind === 'function' ? / \{$/ : kind === 'type' || kind === 'const' ? /;$/ : /^\}$|\{\}$/;
      let last = index;
      while (!(ends.test(lines[last] ?? '') && (kind !== 'type' || /^\S?$|^\S/.test(lines[last + 1] ?? ''))))
        last += 1;
      const whole = lines.slice(index, last + 1);
      const shape = kind === 'interface' || kind === 'class';
      const signature = (
        shape ? whole.slice(0, whole.findIndex((part) => part.endsWith('{')) + 1) : whole
      ).join('\n');
      declared.push({
        name,
        doc,
        signature: signature.replace(/ \{$/, ''),
        members: shape ? membersOf(whole) : [],
      });
      index = last;
    }
    if (!line.startsWith('// biome-ignore')) doc = '';
  }
  return declared;
}

function membersOf(lines: readonly string[]): Array<{ signature: string; name: string; doc: string }> {
  const members: Array<{ signature: string; name: string; doc: string }> = [];
  let doc = '';
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line.startsWith('  /**')) {
      ({ doc, index } = readComment(lines, index));
      continue;
    }
    const name = /^ {2}(?:override )?(?:readonly )?(\w+)/.exec(line)?.[1];
    if (name === undefined || name === 'constructor' || name === 'extends') continue;
    let last = index;
    while (!/[;{]$/.test(lines[last] ?? '')) last += 1;
    const signature = lines
      .slice(index, last + 1)
      .join(' ')
      .replace(/\s+/g, ' ')
      .trim();
    members.push({ name, signature: signature.replace(/^(?:override )?(?:readonly )?|;$/g, ''), doc });
    doc = '';
  }
  return members;
}

function readComment(lines: readonly string[], start: number): { doc: string; index: number } {
  let index = start;
  while (!(lines[index] ?? '').endsWith('*/')) index += 1;
  const text = lines
    .slice(start, index + 1)
    .join('\n')
    .replace(/^\s*\/\*\*|\*\/$/g, '')
    .replace(/^\s*\*\s?/gm, '')
    .replace(/\{@link (\w+)(?:\.\w+)?\}/g, '`$1`')
    .replace(/@throws \{(\w+)\}/g, 'Throws `$1`')
    .replace(/@throws/g, 'Throws')
    .replace(/@returns/g, 'Returns');
  return {
    doc: text.replace(/\n\n/g, '\u0000').replace(/\s+/g, ' ').replaceAll('\u0000', '\n\n').trim(),
    index,
  };
}
