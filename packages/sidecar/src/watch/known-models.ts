/** The models that the bot was ever seen to have, loaded or not. */
export interface KnownModels {
  readonly has: (name: string) => boolean;
  /** The bot told that it has these. */
  readonly saw: (names: readonly string[]) => void;
  /** What a restart of the sidecar must not forget. */
  readonly keep: () => readonly string[];
  readonly recall: (names: readonly string[]) => void;
}

/** So many names are remembered; a bot that makes up a new one for each version needs no more. */
const KEPT = 200;

export function createKnownModels(): KnownModels {
  let names: readonly string[] = [];
  const add = (more: readonly string[]): void => {
    const added = more.filter((name) => !names.includes(name));
    if (added.length > 0) names = [...names, ...added].slice(-KEPT);
  };
  return { has: (name) => names.includes(name), saw: add, keep: () => names, recall: add };
}
