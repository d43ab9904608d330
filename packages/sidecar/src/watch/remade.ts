/** What an answer is made from: each function gives the very same value for as long as it means the same. */
type Inputs = Readonly<Record<string, () => unknown>>;

/**
 * Gives what `make` gives, and the same object again for as long as each of `inputs` gives the very same value. `make`
 * is given those values and must depend on nothing else: then what is given is always what would be made now.
 */
export function remade<I extends Inputs, T>(
  inputs: I,
  make: (values: { readonly [Name in keyof I]: ReturnType<I[Name]> }) => T,
): () => T {
  const names = Object.keys(inputs);
  const read = names.map((name) => inputs[name] as () => unknown);
  let values: unknown[] = [];
  let made: { readonly value: T } | undefined;
  const isCurrent = (): boolean => {
    for (let index = 0; index < read.length; index += 1)
      if (!Object.is(read[index]?.(), values[index])) return false;
    return true;
  };
  return () => {
    if (made !== undefined && isCurrent()) return made.value;
    values = read.map((input) => input());
    made = { value: make(Object.fromEntries(names.map((name, index) => [name, values[index]])) as never) };
    return made.value;
  };
}
