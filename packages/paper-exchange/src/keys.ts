/** One API key. */
export interface Key {
  readonly key: string;
  readonly secret: string;
  /** Only the dialects that ask for one look at it. */
  readonly passphrase: string;
  /** The account it is for. */
  readonly account: string;
  readonly may: 'read' | 'trade';
}

/** The key that is there from the start. Everybody knows it. */
export const PAPER_KEY: Key = {
  key: 'paper-key-0123456789abcdef',
  secret: 'paper-secret-0123456789abcdef',
  passphrase: 'paper-passphrase',
  account: 'main',
  may: 'trade',
};

/** Who may come in. */
export class Keys {
  readonly #keys = new Map<string, Key>([[PAPER_KEY.key, PAPER_KEY]]);

  add(key: Key): void {
    this.#keys.set(key.key, key);
  }

  remove(key: string): void {
    this.#keys.delete(key);
  }

  get(key: string | string[] | undefined): Key | undefined {
    return typeof key === 'string' ? this.#keys.get(key) : undefined;
  }
}
