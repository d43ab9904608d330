import { exposure } from './exposure.ts';
import type { Finding, Rule } from './finding.ts';
import { healing } from './healing.ts';
import { keeping } from './keeping.ts';
import type { ComposeModel } from './model.ts';
import { pods } from './pods.ts';
import { type Named, whoIsWho } from './roles.ts';
import { stopping } from './stopping.ts';

/** Every rule, in the order in which a person should read what they find. */
export const RULES: readonly Rule[] = [...stopping, ...pods, ...healing, ...exposure, ...keeping];

/**
 * Names what is wrong in a stack for guarding a bot: errors first, otherwise in the order of the rules.
 *
 * @throws {NoSuchServiceError} when a named service is not there.
 */
export function diagnose(model: ComposeModel, named: Named = {}): readonly Finding[] {
  const stack = whoIsWho(model, named);
  const found = RULES.filter(({ platforms }) => platforms?.includes(stack.platform) ?? true).flatMap(
    ({ code, find }) => find(stack).map((finding) => ({ code, ...finding })),
  );
  return [
    ...found.filter(({ severity }) => severity === 'error'),
    ...found.filter(({ severity }) => severity !== 'error'),
  ];
}
