// A clone that lacks the tags its remote has takes itself for one from before the first release.
import { BootcError } from "../../src/errors.ts";
import type { Tree } from "../task.ts";
import { readGit } from "./git.ts";

/** What happens where a tag is lacking; what is made for others must not lie below a release. */
export type Untagged = "refuse" | "allow" | "tell";

/** Nobody waits longer than this for a remote to list its tags, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** A remote that wants a password is one that cannot be asked. */
const NO_PROMPT = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "true",
  SSH_ASKPASS: "true",
  SSH_ASKPASS_REQUIRE: "force",
};

/**
 * Looks for the tag of a release that the remote has in the history of HEAD and this clone, which has
 * none, lacks. Tells it or fails, as `mode` says; a remote that cannot be asked is told where the
 * answer matters.
 */
export async function judgeUntagged(
  tree: Tree,
  mode: Untagged,
  isRelease: (tag: string) => boolean,
): Promise<void> {
  const remote = await readRemote(tree);
  const tags = remote === undefined ? NO_REMOTE : await readRemoteTags(tree, remote);
  if (typeof tags === "string") {
    if (mode === "tell") return;
    tree.ctx.note(
      `warning: no tag of a release is here, and ${tags}: this may lie below a release`,
    );
    return;
  }
  const lacking = await findInHistory(
    tree,
    tags.filter((it) => isRelease(it.name)),
  );
  if (lacking === undefined) return;
  const problem = `this clone lacks tags such as \`${lacking}\`: its version lies below that release`;
  const command = `git fetch --tags ${remote}`;
  if (mode === "refuse")
    throw new BootcError(problem, {
      hint: `run \`${command}\`; package-srpm and package-rpm go on all the same with --allow-untagged`,
    });
  tree.ctx.note(`warning: ${problem}; run \`${command}\``);
}

const NO_REMOTE = "there is no remote to ask for one";

/** The remote this branch follows, or `origin`, or whichever there is. */
async function readRemote(tree: Tree): Promise<string | undefined> {
  const names = (await readGit(tree, ["remote"])).split("\n").filter((it) => it !== "");
  const upstream = await readGit(tree, ["rev-parse", "--abbrev-ref", "HEAD@{upstream}"], {
    // Without an upstream, or a branch.
    okStatuses: [0, 128],
  });
  const followed = names.find((it) => upstream.startsWith(`${it}/`));
  return followed ?? names.find((it) => it === "origin") ?? names[0];
}

interface RemoteTag {
  readonly name: string;
  /** What it names, a commit unless somebody tagged something else. */
  readonly commit: string;
}

/** The remote's tags; or why it did not list them. */
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
    return `\`${remote}\` cannot be asked for one (${reason})`;
  }
}

/** An annotated tag has two lines; that with `^{}`, the later one, names the commit. */
function parseTags(listed: string): readonly RemoteTag[] {
  const commits = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, commit, name] = /^([0-9a-f]+)\trefs\/tags\/(.+?)(?:\^\{\})?$/.exec(line) ?? [];
    if (commit !== undefined && name !== undefined) commits.set(name, commit);
  }
  return [...commits].map(([name, commit]) => ({ name, commit }));
}

/** The last of `tags` below HEAD. Of a commit that this clone does not have, HEAD is no descendant. */
async function findInHistory(tree: Tree, tags: readonly RemoteTag[]): Promise<string | undefined> {
  for (const { name, commit } of tags.toReversed()) {
    const base = await readGit(tree, ["merge-base", commit, "HEAD"], { okStatuses: [0, 1, 128] });
    if (base === commit) return name;
  }
  return undefined;
}
