// Exported names: one name means one thing in the whole product, so that a search leads to one place.
import type { SourceFile } from "./imports.ts";

const EXPORT =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type) (\w+)/gm;

/** Every task file exports one. */
const SHARED = new Set(["task"]);

/** Names that more than one of `files` in src/ and xtask/ exports, one line each. */
export function findDoubleExports(files: readonly SourceFile[]): readonly string[] {
  const places = files
    .filter(({ path }) => /^(src|xtask)\//.test(path))
    .flatMap(({ path, text }) => [...exportedNames(text)].map((name) => ({ name, path })));
  const byName = Map.groupBy(places, ({ name }) => name);
  return [...byName].flatMap(([name, [first, ...others]]) =>
    first === undefined || others.length === 0 || SHARED.has(name)
      ? []
      : [
          `${first.path}: \`${name}\` is also exported by ${others.map((it) => it.path).join(", ")}`,
        ],
  );
}

/** Without repetitions: overloads, and a type of the same name as a value. */
function exportedNames(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(EXPORT)].map(([, name = ""]) => name));
}
