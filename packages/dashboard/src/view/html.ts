import { html as render } from 'hono/html';

/** Markup in which every value was escaped. What is sent is its `toString()`. */
export interface Html {
  readonly isEscaped: true;
  toString(): string;
}

/** What may stand in a template; anything else is a defect that the types find. */
export type Value = string | number | boolean | null | undefined | Html | readonly Value[];

/**
 * A template in which every value is escaped, but for what is {@link Html} itself. `false`, `null` and `undefined`
 * stand for nothing.
 */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  // Only a promise among the values would make it one, and the types keep those out.
  return render(strings, ...values) as unknown as Html;
}

/** Markup that holds nothing. */
export const nothing: Html = html``;
