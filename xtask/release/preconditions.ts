// Checks that a release may be published: tag, package.json, changelog, commit and files have to agree.
import { BootcError } from "../../src/errors.ts";
import { formatReleasedVersion } from "../checkout/checkout.ts";
import { readGit } from "../checkout/git.ts";
import { readPackageJson } from "../checkout/package-json.ts";
import type { Tree } from "../task.ts";
import { type ChangelogVersion, readChangelogFile } from "./changelog.ts";
import type { ReleaseManifest } from "./manifest.ts";

export interface Facts {
  readonly tag: string | undefined;
  readonly packageVersion: string;
  readonly newestEntry: ChangelogVersion | undefined;
  readonly headCommit: string;
  readonly tagCommit: string | undefined;
  readonly manifest: Pick<ReleaseManifest, "version" | "builtVersion" | "commit">;
}

export async function readFacts(
  tree: Tree,
  { tag, manifest }: { readonly tag: string | undefined; readonly manifest: ReleaseManifest },
): Promise<Facts> {
  const [entries, { version }] = await Promise.all([
    readChangelogFile(tree.top),
    readPackageJson(tree.top),
  ]);
  const chosen = tag ?? (await readTag(tree));
  return {
    tag: chosen,
    packageVersion: version,
    newestEntry: entries[0],
    headCommit: await readGit(tree, ["rev-parse", "HEAD"]),
    tagCommit: await commitOf(tree, chosen),
    manifest,
  };
}

/** The tag for which a workflow runs, or the one at HEAD. */
async function readTag(tree: Tree): Promise<string | undefined> {
  const { env } = tree.ctx;
  if (env.GITHUB_REF_TYPE === "tag") return env.GITHUB_REF_NAME;
  const tags = await readGit(tree, ["tag", "--points-at", "HEAD", "--list", "v*"]);
  return tags.split("\n").find((it) => it !== "");
}

async function commitOf(tree: Tree, tag: string | undefined): Promise<string | undefined> {
  if (tag === undefined) return undefined;
  const found = await readGit(tree, ["tag", "--list", "--format=%(refname:short)", tag]);
  return found === tag
    ? await readGit(tree, ["rev-parse", `refs/tags/${tag}^{commit}`])
    : undefined;
}

/** Every disagreement, one line each. */
export function findDisagreements(facts: Facts): readonly string[] {
  const { tag, packageVersion, newestEntry, manifest } = facts;
  const problems: string[] = [];
  if (tag === undefined) problems.push("no tag points at this commit");
  else if (tag !== `v${packageVersion}`) {
    problems.push(`the tag is \`${tag}\`, but package.json says \`${packageVersion}\``);
  }
  if (newestEntry?.version !== packageVersion) {
    problems.push(
      `the top of CHANGELOG.md is \`${newestEntry?.version}\`, but package.json says \`${packageVersion}\``,
    );
  }
  if (tag !== undefined && facts.tagCommit !== facts.headCommit) {
    problems.push(`the tag \`${tag}\` is not at the commit that is checked out`);
  }
  if (manifest.version !== packageVersion) {
    problems.push(`what was built is \`${manifest.version}\`, not \`${packageVersion}\``);
  }
  const released = formatReleasedVersion(`v${packageVersion}`);
  if (manifest.version === packageVersion && manifest.builtVersion !== released) {
    problems.push(
      `what was built calls itself \`${manifest.builtVersion}\`, not \`${released}\`: it was built ` +
        "without the tag",
    );
  }
  if (manifest.commit !== facts.headCommit) {
    problems.push("what was built is not from the commit that is checked out");
  }
  return problems;
}

export interface Agreed {
  readonly tag: string;
  readonly version: string;
  readonly commit: string;
  readonly notes: string;
}

export function requireAgreement(facts: Facts): Agreed {
  const problems = findDisagreements(facts);
  if (problems.length === 0 && facts.tag !== undefined && facts.newestEntry !== undefined) {
    const { tag, packageVersion: version, headCommit: commit, newestEntry } = facts;
    return { tag, version, commit, notes: newestEntry.body };
  }
  throw new BootcError(`this cannot be published: ${problems.join("; ")}`, {
    hint: "docs/releasing.md lists the steps in order",
  });
}
