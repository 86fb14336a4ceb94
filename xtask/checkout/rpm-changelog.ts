// The package's %changelog, made from git: one entry per release tag, and one for the commits since.
import type { Tree } from "../task.ts";
import { type Checkout, formatReleasedVersion, RELEASE_TAG, sortTags } from "./checkout.ts";
import { readGit } from "./git.ts";

/** One entry of the changelog, before it is formatted for rpm. */
export interface ChangelogEntry {
  readonly version: string;
  /** Seconds since 1970; only the day in UTC is printed. */
  readonly epoch: number;
  /** `Name <address>`. */
  readonly author: string;
  /** Subjects of the commits, newest first. */
  readonly subjects: readonly string[];
}

/** How many commits an entry names; the rest are counted. */
const SUBJECTS_MAX = 50;
const WIDTH = 78;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The changelog of this checkout, newest entry first. An archive without git has only one entry. */
export async function readChangelog(
  tree: Tree,
  checkout: Checkout,
): Promise<readonly ChangelogEntry[]> {
  if (!checkout.isRepository) {
    const { version, commitEpoch: epoch, commit } = checkout;
    const author = "bootc developers <bootc@localhost>";
    return [{ version, epoch, author, subjects: [`built from ${commit}`] }];
  }
  const tags = await readReleases(tree);
  const versions = tags.map((tag) => ({ version: formatReleasedVersion(tag), revision: tag }));
  const isReleased = versions.at(-1)?.version === checkout.version;
  const here = { version: checkout.version, revision: checkout.commit };
  const entries: ChangelogEntry[] = [];
  let previous: string | undefined;
  for (const { version, revision } of isReleased ? versions : [...versions, here]) {
    const entry = await readEntry(tree, version, revision, previous);
    // rpm requires entries in chronological order, but committers' clocks may disagree.
    entries.unshift({ ...entry, epoch: Math.max(entry.epoch, entries[0]?.epoch ?? 0) });
    previous = revision;
  }
  return entries;
}

/** Release tags below the commit, oldest first. */
async function readReleases(tree: Tree): Promise<readonly string[]> {
  const listed = await readGit(tree, ["tag", "--merged", "HEAD", "--list", "v*"]);
  return await sortTags(listed.split("\n").filter((it) => RELEASE_TAG.test(it)));
}

async function readEntry(
  tree: Tree,
  version: string,
  revision: string,
  previous: string | undefined,
): Promise<ChangelogEntry> {
  const range = previous === undefined ? [revision] : [`${previous}..${revision}`];
  const log = await readGit(tree, ["log", "--no-merges", "--format=%s", ...range, "--"]);
  const shown = await readGit(tree, [
    "log",
    "--max-count=1",
    "--format=%ct %cN <%cE>",
    revision,
    "--",
  ]);
  const [, epoch = "0", author = ""] = /^(\d+) (.*)$/.exec(shown) ?? [];
  return {
    version,
    epoch: Number(epoch),
    author,
    subjects: log === "" ? ["no change of the source"] : log.split("\n"),
  };
}

/** Formats entries for rpm. Whatever a subject says, it stays one item, and rpm expands nothing in it. */
export function formatChangelog(entries: readonly ChangelogEntry[], release: string): string {
  return entries.map((it) => formatEntry(it, release)).join("\n\n");
}

function formatEntry(
  { version, epoch, author, subjects }: ChangelogEntry,
  release: string,
): string {
  const left = subjects.length - SUBJECTS_MAX;
  const more = left > 0 ? [`and ${left} earlier changes`] : [];
  return [
    `* ${formatDay(epoch)} ${formatText(author)} - ${version}-${release}`,
    ...[...subjects.slice(0, SUBJECTS_MAX), ...more].flatMap((it) => wrap(`- ${formatText(it)}`)),
  ].join("\n");
}

/** rpm refuses a weekday that does not match the date. */
function formatDay(epoch: number): string {
  const date = new Date(epoch * 1000);
  const day = String(date.getUTCDate()).padStart(2, "0");
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${date.getUTCFullYear()}`;
}

function formatText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a subject may contain them, a spec may not
  return text.replace(/[\u0000-\u001f\u007f]+/g, " ").replaceAll("%", "%%");
}

/** Lines of at most `WIDTH` columns; continuations are indented, so that none starts an entry or item. */
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((it) => it !== "")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= WIDTH) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else lines.push(line === undefined ? word : `  ${word}`);
  }
  return lines;
}
