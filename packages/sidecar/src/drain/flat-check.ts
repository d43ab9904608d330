/** FLAT_CHECK_SQL gave something else than one number. */
export class FlatCheckError extends Error {
  override readonly name = 'FlatCheckError';
  readonly code = 'FLAT_CHECK_UNREADABLE';
}

/**
 * The one number in the rows of FLAT_CHECK_SQL. Nothing but one row with one number of at least zero is taken for an
 * answer, with decimals or without: an empty table, a null or a text proves nothing.
 *
 * @throws {FlatCheckError}
 */
export function oneNumber(rows: ReadonlyArray<Readonly<Record<string, unknown>>>): number {
  const values = rows.flatMap((row) => Object.values(row));
  const [value] = values;
  // Postgres counts in 64 bits and sums in decimals, which the driver gives as text.
  const text =
    typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint' ? String(value) : '';
  if (rows.length !== 1 || values.length !== 1 || !/^\d{1,15}(\.\d{1,40})?$/.test(text)) {
    throw new FlatCheckError(
      `expected FLAT_CHECK_SQL to give one row with one number of at least 0, got ${rows.length} row(s) with ${values.length} value(s)`,
    );
  }
  return Number(text);
}
