// `xtask changelog`: parses CHANGELOG.md, and lists mistakes in its format with their lines.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import lte from "semver/functions/lte.js";
import { BootcError } from "../../src/errors.ts";
import { defineTask } from "../task.ts";

export const CHANGELOG = "CHANGELOG.md";

export interface ChangelogVersion {
  /** `2.0.0`, `2.1.0-rc.1`, or `Unreleased`. */
  readonly version: string;
  /** `2026-11-23`; undefined for `Unreleased`. */
  readonly date: string | undefined;
  /** The text below the heading. */
  readonly body: string;
  /** Line of the heading. */
  readonly line: number;
  /** Line of the body's beginning. */
  readonly bodyLine: number;
}

const VERSION = /^\d+\.\d+\.\d+(-rc\.\d+)?$/;
const SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

export const task = defineTask({
  declare: (command) =>
    command
      .option("--notes <version>", "print the text about this version, for the page of a release")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask changelog\n  npm run xtask -- changelog --notes 2.0.0",
      ),
  async run({ top }, options) {
    const entries = await readChangelogFile(top);
    if (typeof options.notes !== "string") return CHANGELOG;
    const entry = entries.find((it) => it.version === options.notes);
    if (entry !== undefined) return entry.body;
    throw new BootcError(`${CHANGELOG} has no version \`${options.notes}\``, {
      hint: `it has ${entries.map((it) => it.version).join(", ")}`,
    });
  },
});

/** The versions in the checkout's changelog, newest first. Fails with a list of all mistakes. */
export async function readChangelogFile(top: string): Promise<readonly ChangelogVersion[]> {
  return parseChangelog(await readFile(join(top, CHANGELOG), "utf8"));
}

export function parseChangelog(text: string): readonly ChangelogVersion[] {
  const entries = splitEntries(text);
  const problems = [...findTitleProblems(text, entries), ...entries.flatMap(findEntryProblems)];
  problems.push(...findOrderProblems(entries));
  if (problems.length === 0) return entries;
  throw new BootcError(problems.join("\n"), {
    hint: "the format: `## 2.0.0 - 2026-11-23`, below it `### Added` (or Changed, Fixed, ...) and `- ` lines",
  });
}

function splitEntries(text: string): readonly ChangelogVersion[] {
  const lines = text.split("\n");
  const starts = lines.flatMap((line, i) => (line.startsWith("## ") ? [i] : []));
  return starts.map((start, i) => {
    const [version = "", date] = (lines[start] ?? "").slice(3).trim().split(" - ");
    const below = lines.slice(start + 1, starts[i + 1]);
    const blank = below.findIndex((it) => it.trim() !== "");
    const bodyLine = start + 2 + Math.max(blank, 0);
    return { version, date, body: below.join("\n").trim(), line: start + 1, bodyLine };
  });
}

function findTitleProblems(text: string, entries: readonly ChangelogVersion[]): readonly string[] {
  const problems = text.startsWith("# Changelog\n")
    ? []
    : [`${CHANGELOG}:1: the first line is not \`# Changelog\``];
  return entries.length > 0 ? problems : [...problems, `${CHANGELOG}:1: there is no version`];
}

function findEntryProblems(entry: ChangelogVersion): readonly string[] {
  const at = `${CHANGELOG}:${entry.line}`;
  const problems: string[] = [];
  if (entry.version === "Unreleased") {
    if (entry.date !== undefined) problems.push(`${at}: \`Unreleased\` must not have a date`);
  } else {
    if (!VERSION.test(entry.version)) problems.push(`${at}: \`${entry.version}\` is not a version`);
    if (!isDate(entry.date)) problems.push(`${at}: \`${entry.date ?? ""}\` is not a date`);
    if (entry.body === "") problems.push(`${at}: ${entry.version} has no text`);
  }
  return [...problems, ...findBodyProblems(entry)];
}

function findBodyProblems({ body, bodyLine }: ChangelogVersion): readonly string[] {
  const problems: string[] = [];
  const sections = new Set<string>();
  for (const [i, text] of body.split("\n").entries()) {
    const at = `${CHANGELOG}:${bodyLine + i}`;
    const section = /^### (.*)$/.exec(text)?.[1];
    if (section !== undefined && !SECTIONS.includes(section)) {
      problems.push(`${at}: \`${section}\` is not one of ${SECTIONS.join(", ")}`);
    }
    if (section !== undefined && sections.has(section)) {
      problems.push(`${at}: a second section \`${section}\``);
    }
    if (section !== undefined) sections.add(section);
    if (/^[*+-] /.test(text) && sections.size === 0)
      problems.push(`${at}: a change outside a section`);
    if (/^[*+] /.test(text)) problems.push(`${at}: a change has to start with \`- \``);
  }
  return problems;
}

function isDate(text: string | undefined): boolean {
  if (text === undefined || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function findOrderProblems(entries: readonly ChangelogVersion[]): readonly string[] {
  return entries.slice(1).flatMap((it, i) => {
    const newer = entries[i];
    if (newer === undefined) return [];
    const at = `${CHANGELOG}:${it.line}`;
    if (it.version === "Unreleased") return [`${at}: \`Unreleased\` has to come first`];
    if (newer.version === "Unreleased") return [];
    const problems: string[] = [];
    const areVersions = [newer, it].every(({ version }) => VERSION.test(version));
    if (areVersions && lte(newer.version, it.version)) {
      problems.push(`${at}: \`${it.version}\` is not older than \`${newer.version}\` above it`);
    }
    if ((newer.date ?? "") < (it.date ?? "")) {
      problems.push(`${at}: ${it.date} is later than ${newer.date} above it`);
    }
    return problems;
  });
}
