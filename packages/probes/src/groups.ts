import { type Status, Tally } from './status.ts';

/** The groups that every monitor has. */
export const BUILT_IN_GROUPS = ['liveness', 'readiness', 'startup'] as const;

/** A member of a group, as far as the group depends on it. */
export interface GroupMember {
  readonly name: string;
  readonly critical: boolean;
  /** What was last judged of it; only {@link Groups.judge} changes it. */
  judged: Status;
}

/** Some probes, and the status of them all, which is known without a look at each. */
export class Group {
  readonly tally = new Tally();
  readonly #members = new Map<string, GroupMember>();
  #names: readonly string[] | undefined;

  /** In the order in which they were added. */
  get names(): readonly string[] {
    this.#names ??= Object.freeze([...this.#members.keys()]);
    return this.#names;
  }

  get members(): Iterable<GroupMember> {
    return this.#members.values();
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  add(member: GroupMember): void {
    if (this.#members.has(member.name)) return;
    this.#members.set(member.name, member);
    this.tally.add(member);
    this.#names = undefined;
  }

  remove(member: GroupMember): void {
    if (!this.#members.delete(member.name)) return;
    this.tally.remove(member);
    this.#names = undefined;
  }
}

/** Which probes answer which question. */
export class Groups {
  /** Every probe of the monitor. */
  readonly all = new Group();
  readonly #none = new Group();
  readonly #named = new Map<string, Group>();

  /** The built-in ones, then those of the monitor's own. */
  get names(): Iterable<string> {
    return new Set<string>([...BUILT_IN_GROUPS, ...this.#named.keys()]);
  }

  /** A group; undefined where there is none of that name. Not named: `liveness` is empty, `readiness` everything, `startup` is `readiness`. */
  get(name: string): Group | undefined {
    const named = this.#named.get(name);
    if (named !== undefined) return named;
    if (name === 'liveness') return this.#none;
    if (name === 'readiness') return this.all;
    return name === 'startup' ? this.get('readiness') : undefined;
  }

  /** The group of that name, to which members can be added: it begins with those that it has now. */
  named(name: string): Group {
    const found = this.#named.get(name);
    if (found !== undefined) return found;
    const group = new Group();
    for (const member of this.get(name)?.members ?? []) group.add(member);
    this.#named.set(name, group);
    return group;
  }

  /** A group that begins with nobody. */
  define(name: string): Group {
    const group = new Group();
    this.#named.set(name, group);
    return group;
  }

  remove(member: GroupMember): void {
    this.all.remove(member);
    for (const group of this.#named.values()) group.remove(member);
  }

  /** Takes note of what is known of a member now. */
  judge(member: GroupMember, status: Status): void {
    if (member.judged === status) return;
    this.#tallies(member, 'remove');
    member.judged = status;
    this.#tallies(member, 'add');
  }

  #tallies(member: GroupMember, change: 'add' | 'remove'): void {
    this.all.tally[change](member);
    for (const group of this.#named.values()) if (group.has(member.name)) group.tally[change](member);
  }
}
