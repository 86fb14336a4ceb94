// Loads Node's own modules at first use: one verb in ten needs crypto, which takes a fifth of the start-up.
//
// A bundle runs the top level of each module it reaches, so one `import { createHash } from "node:crypto"`
// in a module that `status` shares with `upgrade` costs `status` 8 ms. For such an import, esbuild writes a
// variable and reads its properties where the import is used. We turn the variable into an object that
// loads the module when the first property is read.

/** esbuild's form of an import: `import_x = require("node:x")`, in `__toESM(…, 1)` for a default import. */
const IMPORT =
  /(?<=\bimport_\w+ = )(?:__toESM\(require\("(node:[\w/]+)"\), 1\)|require\("(node:[\w/]+)"\))/g;

const LOADER = `var __lazy = (name) => new Proxy({}, {
  get: (_, key) => key === "default" ? require(name) : require(name)[key]
});
`;

/** The bundle with every import of a built-in module made lazy, and the number of these imports. */
export function withLazyBuiltins(bundle: string): {
  readonly text: string;
  readonly count: number;
} {
  let count = 0;
  const body = bundle.replaceAll(IMPORT, (_, whole?: string, named?: string) => {
    count++;
    return `__lazy("${whole ?? named}")`;
  });
  const strict = '"use strict";\n';
  const start = body.startsWith(strict) ? strict.length : 0;
  return { text: `${body.slice(0, start)}${LOADER}${body.slice(start)}`, count };
}
