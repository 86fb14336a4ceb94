// Which unit tests need a process of their own; all others share those of the suite.

/**
 * They replace a module or a function of Node for good. A process for each file, which loads all modules
 * anew, takes more time than the tests.
 */
export const APART: readonly string[] = [
  "src/programs/become.test.ts",
  "src/pull/fetch/fetch.test.ts",
  "src/pull/fetch/retry.test.ts",
  "src/system/root/private-mounts.test.ts",
];

/** Whether the text of a test replaces something of Node and does not put it back. */
export function replacesForGood(text: string): boolean {
  return /\bvi\.(?:mock|doMock)\(|^const .*\bvi\.spyOn\(/m.test(text);
}
