/** One start of the bot, by the names under which it is known. */
export interface Boot {
  /** The id under which its gate took the lease; null where none did. */
  readonly lease: string | null;
  /** What it calls itself; null where it does not say, or has not answered yet. */
  readonly instance: string | null;
  /** It has answered. */
  readonly answered: boolean;
  /** The names of the boot before: a late word of that one is not taken for a word of this one. */
  readonly before: { readonly lease: string | null; readonly instance: string | null };
}

/** What is known at one moment of who is there. */
export interface Sign {
  /** The boot whose gate holds the lease now; null when nobody does. */
  readonly lease: string | null;
  /** What the bot calls itself (null where it does not say); undefined when it does not answer. */
  readonly instance: string | null | undefined;
  /** At the last look nothing was there. */
  readonly wasGone: boolean;
  /**
   * A lease may be the first word of the gate of a boot that is known already, as after a restart of the sidecar.
   * False: a lease of an unknown name is another boot.
   */
  readonly mayBeTheSame: boolean;
}

const NOBODY = { lease: null, instance: null } as const;

/** The id of a boot: what its gate calls it, else what it calls itself; null where neither is known. */
export function nameOf(boot: Boot | null): string | null {
  return boot?.lease ?? boot?.instance ?? null;
}

/** Whether a boot is known by this name, be it its gate's or its own. */
export function isNamed(boot: Boot | null, name: string): boolean {
  return boot !== null && (boot.lease === name || boot.instance === name);
}

/** The boot that is there now, and whether that is another one than before. The first one ever seen is not. */
export function followBoot(boot: Boot | null, sign: Sign): { boot: Boot | null; another: boolean } {
  const now = followAnswer(followLease(boot, sign), sign);
  // A boot that only got one more name, or has answered for the first time, still has the same one before it.
  return { boot: now, another: boot !== null && now !== null && now.before !== boot.before };
}

function followLease(boot: Boot | null, { lease, mayBeTheSame }: Sign): Boot | null {
  if (lease === null || boot?.lease === lease) return boot;
  if (boot === null) return { lease, instance: null, answered: false, before: NOBODY };
  // The gate of the boot before has not gone yet.
  if (boot.before.lease === lease) return boot;
  const known = boot.instance === lease || mayBeTheSame;
  if (boot.lease === null && known) return { ...boot, lease };
  return { lease, instance: null, answered: false, before: namesOf(boot) };
}

function followAnswer(boot: Boot | null, { lease, instance, wasGone }: Sign): Boot | null {
  if (instance === undefined) return boot;
  if (boot === null) return { lease: null, instance, answered: true, before: NOBODY };
  if (instance !== null && instance === boot.before.instance) return boot;
  if (!boot.answered) return { ...boot, instance, answered: true };
  // Its gate has been there all the while: it is the bot's API that came back, and not another boot.
  const stayed = boot.lease !== null && lease === boot.lease;
  const same = instance === null ? !wasGone || stayed : instance === boot.instance;
  return same ? boot : { lease: null, instance, answered: true, before: namesOf(boot) };
}

function namesOf(boot: Boot): Boot['before'] {
  return { lease: boot.lease ?? boot.before.lease, instance: boot.instance ?? boot.before.instance };
}
