// Findings that an image asks not to report: /usr/lib/bootc/lint.toml.
import { matchesGlob } from "node:path";
import { BootcError } from "../errors.ts";
import { parseToml } from "../format/toml-file.ts";
import type { Finding, Item } from "./check.ts";

export const SUPPRESSIONS_FILE = "usr/lib/bootc/lint.toml";

export interface Suppression {
  readonly name: string;
  /** A path or a pattern of paths, without a leading slash; undefined: every finding of the check. */
  readonly path: string | undefined;
  readonly reason: string;
}

export interface Unsuppressed {
  readonly findings: readonly Finding[];
  /** Those that matched something. */
  readonly used: ReadonlySet<Suppression>;
  readonly suppressed: number;
}

const WHAT = `\`/${SUPPRESSIONS_FILE}\``;

/** All mistakes in the file are reported together. */
export function parseSuppressions(text: string): readonly Suppression[] {
  const { suppress, ...unknown } = parseToml(WHAT, text);
  const problems = Object.keys(unknown).map((it) => `unknown key \`${it}\``);
  if (suppress !== undefined && !Array.isArray(suppress)) problems.push("`suppress` is not a list");
  const parsed = (Array.isArray(suppress) ? suppress : []).map((it: unknown, i) =>
    parseSuppression(it, `suppression ${i + 1}`, problems),
  );
  if (problems.length === 0) return parsed;
  throw new BootcError(`${WHAT} is not valid: ${problems.join("; ")}`, {
    hint: "each `[[suppress]]` needs a `name` and a `reason`, and may have a `path`",
  });
}

function parseSuppression(value: unknown, where: string, problems: string[]): Suppression {
  const table = typeof value === "object" && value !== null ? value : {};
  const { name, path, reason, ...unknown } = table as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(unknown)) problems.push(`${where} has an unknown key, \`${key}\``);
  const text = (key: string, it: unknown) => {
    if (typeof it === "string" && it.trim() !== "") return it;
    problems.push(`${where} has no ${key}`);
    return "";
  };
  return {
    name: text("name", name),
    path: path === undefined ? undefined : text("path", path).replace(/^\/+/, ""),
    reason: text("reason", reason),
  };
}

/** What is left of the findings of the check `name`. */
export function suppress(
  name: string,
  findings: readonly Finding[],
  suppressions: readonly Suppression[],
): Unsuppressed {
  const relevant = suppressions.filter((it) => it.name === name);
  const used = new Set<Suppression>();
  let suppressed = 0;
  const isKept = ({ path }: Pick<Item, "path">) => {
    const matching = relevant.filter((it) => matches(it, path));
    for (const it of matching) used.add(it);
    if (matching.length > 0) suppressed += 1;
    return matching.length === 0;
  };
  const left = findings.flatMap((finding): readonly Finding[] => {
    if (finding.items === undefined) return isKept(finding) ? [finding] : [];
    const items = finding.items.filter(isKept);
    return items.length === 0 ? [] : [{ ...finding, items }];
  });
  return { findings: left, used, suppressed };
}

function matches({ path: pattern }: Suppression, path: string | undefined): boolean {
  if (pattern === undefined) return true;
  return path !== undefined && (path === pattern || matchesGlob(path, pattern));
}

/** The finding about a suppression that nothing needs. */
export function describeUnused({ name, path }: Suppression): string {
  return path === undefined ? name : `${name} /${path}`;
}
