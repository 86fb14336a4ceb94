// Detects clones that lack tags of releases, and would look older than the last release.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { ifMissing } from "../../src/system/files.ts";
import type { Tree } from "../task.ts";
import { readGit } from "./git.ts";

/** What to do when a tag is missing. The version of a published package must not lie below a release. */
export type Untagged = "refuse" | "allow" | "tell";

/** How long a remote may take to list its tags, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** A remote that wants a password counts as unavailable. */
const NO_PROMPT = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "true",
  SSH_ASKPASS: "true",
  SSH_ASKPASS_REQUIRE: "force",
};

interface Tagged {
  /** The nearest release tag below HEAD. */
  readonly tag: string | undefined;
  readonly isRelease: (tag: string) => boolean;
}

/**
 * For a clone without a release tag, or without that of the newest release in its changelog: looks for a
 * tag of the remote that is in the history of HEAD and not here. If there is one, warns or fails according
 * to `mode`. If the remote cannot be asked, warns when the answer matters.
 */
export async function judgeUntagged(
  tree: Tree,
  mode: Untagged,
  { tag, isRelease }: Tagged,
): Promise<void> {
  const local = (await readGit(tree, ["tag", "--list"])).split("\n");
  const missing = await findMissingRelease(tree, local);
  if (tag !== undefined && missing === undefined) return;
  const remote = await readRemote(tree);
  const tags = remote === undefined ? NO_REMOTE : await readRemoteTags(tree, remote);
  if (typeof tags === "string") {
    // Before the first release, only packages need to know.
    if (missing === undefined && mode === "tell") return;
    const lack =
      missing === undefined
        ? "this clone has no release tag"
        : `${CHANGELOG} has ${missing}, but this clone has no tag \`v${missing}\``;
    const way = "until `git fetch --tags` brings the tags";
    tree.ctx.note(`warning: ${lack}, and ${tags}: its version may lie below a release ${way}`);
    return;
  }
  const absent = tags.filter((it) => isRelease(it.name) && !local.includes(it.name));
  const lacking = await findInHistory(tree, absent);
  if (lacking === undefined) return;
  const problem = `this clone lacks tags such as \`${lacking}\`: its version lies below that release`;
  const command = `git fetch --tags ${remote}`;
  if (mode === "refuse")
    throw new BootcError(problem, {
      hint: `run \`${command}\`; to make packages without the tags, pass --allow-untagged`,
    });
  tree.ctx.note(`warning: ${problem}; run \`${command}\``);
}

const NO_REMOTE = "there is no remote to ask for one";

const CHANGELOG = "CHANGELOG.md";
/** The heading of a release, which has a date; that of the changes since then has none. */
const RELEASE_HEADING = /^## (\d+\.\d+\.\d+(?:-rc\.\d+)?) - \d{4}-\d\d-\d\d$/m;

/** The newest release in the changelog if its tag is not among `tags`. */
async function findMissingRelease(
  { top }: Tree,
  tags: readonly string[],
): Promise<string | undefined> {
  const text = await readFile(join(top, CHANGELOG), "utf8").catch(ifMissing(""));
  const version = RELEASE_HEADING.exec(text)?.[1];
  return version === undefined || tags.includes(`v${version}`) ? undefined : version;
}

/** The remote that this branch follows, or `origin`, or any other. */
async function readRemote(tree: Tree): Promise<string | undefined> {
  const names = (await readGit(tree, ["remote"])).split("\n").filter((it) => it !== "");
  const upstream = await readGit(tree, ["rev-parse", "--abbrev-ref", "HEAD@{upstream}"], {
    // 128: there is no upstream, or no branch.
    okStatuses: [0, 128],
  });
  const followed = names.find((it) => upstream.startsWith(`${it}/`));
  return followed ?? names.find((it) => it === "origin") ?? names[0];
}

interface RemoteTag {
  readonly name: string;
  /** The object that the tag names, usually a commit. */
  readonly commit: string;
}

/** The remote's tags, or the reason why it did not list them. */
async function readRemoteTags(tree: Tree, remote: string): Promise<readonly RemoteTag[] | string> {
  try {
    return parseTags(
      await readGit(tree, ["ls-remote", "--tags", remote], {
        timeoutMs: TIMEOUT_MS,
        env: NO_PROMPT,
      }),
    );
  } catch (error) {
    tree.ctx.signal.throwIfAborted();
    const [reason] = String(error instanceof Error ? error.message : error).split("\n", 1);
    return `\`${remote}\` did not list its tags (${reason})`;
  }
}

/** An annotated tag has two lines; the later one, with `^{}`, names the commit. */
function parseTags(listed: string): readonly RemoteTag[] {
  const commits = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, commit, name] = /^([0-9a-f]+)\trefs\/tags\/(.+?)(?:\^\{\})?$/.exec(line) ?? [];
    if (commit !== undefined && name !== undefined) commits.set(name, commit);
  }
  return [...commits].map(([name, commit]) => ({ name, commit }));
}

/** The last of `tags` in HEAD's history, which cannot contain a commit that this clone lacks. */
async function findInHistory(tree: Tree, tags: readonly RemoteTag[]): Promise<string | undefined> {
  for (const { name, commit } of tags.toReversed()) {
    const base = await readGit(tree, ["merge-base", commit, "HEAD"], { okStatuses: [0, 1, 128] });
    if (base === commit) return name;
  }
  return undefined;
}
