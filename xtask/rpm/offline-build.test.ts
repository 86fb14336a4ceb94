import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const TOP = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(TOP, path), "utf8");

/** What a file loads when it is loaded itself; types are gone by then, `import()` comes later. */
function importsOf(path: string): readonly string[] {
  const all = read(path).matchAll(/^import (?!type )[^;]*?"([^"]+)";$/gms);
  return [...all].map(([, name = ""]) => (name.startsWith(".") ? join(dirname(path), name) : name));
}

/** Packages that are loaded with the files of `start`. */
function packagesBehind(start: readonly string[]): readonly string[] {
  const seen = new Set(start);
  for (const path of seen)
    if (path.startsWith("xtask/") || path.startsWith("src/"))
      for (const it of importsOf(path)) seen.add(it);
  return [...seen].filter((it) => !/^(xtask|src)\/|^node:/.test(it));
}

test("what the spec's build runs loads no package that is not vendored", () => {
  const calls = read("rpm/bootc.spec.ejs").matchAll(/^"\$node" xtask\/entry\.ts (\w+)/gm);
  const tasks = [...calls].map(([, task]) => `xtask/${task}.ts`);
  expect(tasks).toContain("xtask/licenses.ts");
  const { dependencies, vendorFilter } = JSON.parse(read("package.json"));
  const vendored = [...Object.keys(dependencies), ...vendorFilter.buildDependencies];
  const behind = packagesBehind([...tasks, "xtask/entry.ts", "xtask/main.ts"]);
  expect(behind).toContain("commander");
  expect(behind.filter((it) => !vendored.includes(it))).toEqual([]);
});

test("the installer of the vendored packages loads none", () => {
  expect(packagesBehind(["xtask/vendor/install.ts"])).toEqual([]);
});
