import { exposure } from './exposure.ts';
import type { Finding } from './finding.ts';
import { healing } from './healing.ts';
import type { ComposeModel } from './model.ts';
import { whoIsWho } from './roles.ts';
import { stopping } from './stopping.ts';

/** Names what is wrong in a stack for guarding a bot: errors first, otherwise in the order of the rules. */
export function diagnose(model: ComposeModel): readonly Finding[] {
  const stack = whoIsWho(model);
  const found = [...stopping, ...healing, ...exposure].flatMap((rule) => rule(stack));
  return [
    ...found.filter(({ severity }) => severity === 'error'),
    ...found.filter(({ severity }) => severity !== 'error'),
  ];
}
