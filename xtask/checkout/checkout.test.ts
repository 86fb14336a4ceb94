import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import { isOnPath } from "../checks/requirements.ts";
import {
  formatArchiveName,
  formatVersion,
  formatVersionFile,
  parseVersionFile,
  readCheckout,
  sortTags,
} from "./checkout.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const EPOCH = 1795442521;
const scratch = mkdtempSync(join(tmpdir(), "checkout-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const described = (it: object) => ({
  packageVersion: "2.0.0",
  tag: undefined,
  commit: COMMIT,
  commitEpoch: EPOCH,
  isDirty: false,
  ...it,
});

test.each([
  { why: "before the first tag", it: {}, want: "2.0.0~0.20261123140201.g0123456789" },
  { why: "a release", it: { tag: { name: "v2.0.0", distance: 0 } }, want: "2.0.0" },
  { why: "a candidate", it: { tag: { name: "v2.1.0-rc.2", distance: 0 } }, want: "2.1.0~rc.2" },
  {
    why: "commits after a release",
    it: { tag: { name: "v2.0.0", distance: 4 } },
    want: "2.0.0^20261123140201.g0123456789",
  },
  {
    why: "commits after a candidate",
    it: { tag: { name: "v2.0.0-rc.1", distance: 4 } },
    want: "2.0.0~rc.1^20261123140201.g0123456789",
  },
  {
    why: "a changed release is not a release",
    it: { tag: { name: "v2.0.0", distance: 0 }, isDirty: true },
    want: "2.0.0^20261123140201.g0123456789.dirty",
  },
])("version of $why", ({ it, want }) => {
  expect(formatVersion(described(it))).toBe(want);
});

test.each([
  { it: {}, want: "bootc-2.0.0-0-g0123456789" },
  { it: { tag: { name: "v2.0.0-rc.1", distance: 0 } }, want: "bootc-2.0.0-rc.1" },
  {
    it: { tag: { name: "v2.0.0", distance: 4 }, isDirty: true },
    want: "bootc-2.0.0-4-g0123456789-dirty",
  },
])("archive name $want", ({ it, want }) => {
  expect(formatArchiveName(described(it))).toBe(want);
});

test.skipIf(!isOnPath(process.env, "rpm"))("rpm sorts our versions as time does", () => {
  const at = (epoch: number, tag?: string) =>
    formatVersion(
      described({ commitEpoch: epoch, tag: tag === undefined ? tag : { name: tag, distance: 1 } }),
    );
  const rising = [
    "1.16.0",
    "2.0.0~rc.1",
    at(EPOCH, "v2.0.0-rc.1"),
    at(EPOCH + 1, "v2.0.0-rc.1"),
    "2.0.0~rc.2",
    "2.0.0~rc.10",
    "2.0.0",
    at(EPOCH, "v2.0.0"),
    at(EPOCH + 1, "v2.0.0"),
    `${at(EPOCH + 1, "v2.0.0")}.dirty`,
    "2.0.1~rc.1",
    "2.0.1",
    "2.10.0",
  ];
  const beforeFirstTag = ["1.16.0", at(EPOCH), at(EPOCH + 1), "2.0.0"];
  for (const list of [rising, beforeFirstTag]) {
    for (const [i, version] of list.slice(1).entries()) {
      const macro = `%{lua: print(rpm.vercmp("${list[i]}", "${version}"))}`;
      const answer = execFileSync("rpm", ["--eval", macro], { encoding: "utf8" });
      expect(`${list[i]} < ${version}: ${answer.trim()}`).toBe(`${list[i]} < ${version}: -1`);
    }
  }
});

test("tags sort by version, a release after its candidates", async () => {
  expect(await sortTags(["v2.0.0", "v2.0.0-rc.10", "v10.0.0", "v2.0.0-rc.9"])).toEqual([
    "v2.0.0-rc.9",
    "v2.0.0-rc.10",
    "v2.0.0",
    "v10.0.0",
  ]);
});

test("the version file of an archive reads back", () => {
  const checkout = {
    version: "2.0.0^20261123140201.g0123456789",
    archiveName: "bootc-2.0.0-4-g0123456789",
    commit: COMMIT,
    commitEpoch: EPOCH,
    treeish: COMMIT,
    isDirty: false,
    isRepository: false,
  };
  expect(parseVersionFile(formatVersionFile(checkout))).toEqual(checkout);
  expect(() => parseVersionFile("version 2.0.0\n")).toThrow("`VERSION` has no valid `commit`");
});

describe.skipIf(!isOnPath(process.env, "git"))("in a repository", () => {
  const git = (top: string, ...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: top,
      encoding: "utf8",
      env: { ...process.env, GIT_COMMITTER_DATE: `${EPOCH} +0530`, GIT_CONFIG_GLOBAL: "/dev/null" },
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  const commit = (top: string, subject: string) =>
    git(top, "commit", "--quiet", "--allow-empty", `--message=${subject}`);
  const newRepository = (name: string): string => {
    const top = join(scratch, name);
    git(scratch, "init", "--quiet", top);
    writeFileSync(join(top, "package.json"), '{ "version": "2.0.0" }\n');
    git(top, "add", ".");
    return top;
  };
  const notes: string[] = [];
  const treeOf = (top: string, env: Record<string, string | undefined> = process.env) => ({
    top,
    mayInstall: false,
    ctx: { ...createContext({ env }), note: (it: string) => void notes.push(it) },
  });

  test("a tag, commits after it, and tags that are not releases", async () => {
    const top = newRepository("tagged");
    commit(top, "one");
    git(top, "tag", "v2.0.0-rc.1");
    git(top, "tag", "v2.0.0");
    git(top, "tag", "vendor-drop");
    expect(await readCheckout(treeOf(top))).toMatchObject({ version: "2.0.0", isDirty: false });
    commit(top, "two");
    git(top, "tag", "v9-odd");
    const { version, commit: hash, commitEpoch } = await readCheckout(treeOf(top));
    expect(version).toBe(`2.0.0^20261123140201.g${hash.slice(0, 10)}`);
    expect(commitEpoch).toBe(EPOCH);
  });

  test("a shallow clone fetches the history it lacks and answers the same", async () => {
    const top = newRepository("deep");
    commit(top, "one");
    git(top, "tag", "v2.0.0");
    for (const subject of ["two", "three", "four"]) commit(top, subject);
    const shallow = join(scratch, "shallow");
    git(scratch, "clone", "--quiet", "--depth=1", `file://${top}`, shallow);
    expect(await readCheckout(treeOf(shallow))).toEqual(await readCheckout(treeOf(top)));
    expect(notes.at(-1)).toContain("shallow clone");
  });

  test("the error for a shallow clone whose origin is gone says what to do", async () => {
    const top = newRepository("gone");
    commit(top, "one");
    commit(top, "two");
    const shallow = join(scratch, "orphan");
    git(scratch, "clone", "--quiet", "--depth=1", `file://${top}`, shallow);
    rmSync(top, { recursive: true });
    const error = await readCheckout(treeOf(shallow)).catch((it) => it);
    expect(error.message).toBe("this shallow clone does not reach a release tag");
    expect(error.hint).toContain("git fetch --unshallow --tags");
  });

  /** A full clone without tags of a repository with `tags`, each a commit that `head` may lie above. */
  function untaggedClone(name: string, tags: readonly string[], head = "HEAD"): string {
    const origin = newRepository(`${name}-origin`);
    commit(origin, "before any");
    for (const it of tags) {
      commit(origin, it);
      git(origin, "tag", "--annotate", `--message=${it}`, it);
    }
    const clone = join(scratch, name);
    git(scratch, "clone", "--quiet", "--no-tags", origin, clone);
    git(clone, "reset", "--quiet", "--hard", head);
    notes.length = 0;
    return clone;
  }

  test("a full clone without the tags of its remote causes a warning, and is refused for packages", async () => {
    const clone = untaggedClone("untagged", ["v1.9.0", "v2.0.0", "v9-odd"]);
    const problem = "this clone lacks tags such as `v2.0.0`: its version lies below that release";
    const { version } = await readCheckout(treeOf(clone));
    expect(version).toMatch(/^2\.0\.0~0\./);
    const warning = `warning: ${problem}; run \`git fetch --tags origin\``;
    expect(notes.splice(0)).toEqual([warning]);
    await expect(readCheckout(treeOf(clone), { untagged: "refuse" })).rejects.toMatchObject({
      message: problem,
      hint: expect.stringMatching(/^run `git fetch --tags origin`; .* --allow-untagged$/),
    });
    expect(await readCheckout(treeOf(clone), { untagged: "allow" })).toMatchObject({ version });
    expect(notes).toEqual([warning]);
    git(clone, "fetch", "--quiet", "--tags", "origin");
    expect(await readCheckout(treeOf(clone), { untagged: "refuse" })).toMatchObject({
      version: expect.stringMatching(/^2\.0\.0\^/),
    });
  });

  test.each([
    { why: "a remote without tags of releases", name: "early", tags: ["nightly"], head: "HEAD" },
    { why: "a commit before the first tag", name: "older", tags: ["v2.0.0"], head: "HEAD~1" },
  ])("$why: the version lies before the first release, without a warning", async (it) => {
    const clone = untaggedClone(it.name, it.tags, it.head);
    const { version } = await readCheckout(treeOf(clone), { untagged: "refuse" });
    expect(version).toMatch(/^2\.0\.0~0\./);
    expect(notes).toEqual([]);
  });

  test.each([
    { why: "no remote", name: "alone", change: ["remote", "remove", "origin"], want: "no remote" },
    {
      why: "a remote that is gone",
      name: "lost",
      change: ["remote", "set-url", "origin", "/nowhere"],
      want: "`origin` did not list its tags",
    },
  ])("$why: a warning where packages are made", async ({ name, change, want }) => {
    const clone = untaggedClone(name, ["v2.0.0"]);
    git(clone, ...change);
    await readCheckout(treeOf(clone));
    expect(notes).toEqual([]);
    await readCheckout(treeOf(clone), { untagged: "refuse" });
    expect(notes).toEqual([expect.stringContaining(want)]);
    expect(notes[0]).toMatch(/^warning: this clone has no release tag, and /);
  });

  test("of several remotes, the one that the branch follows is asked", async () => {
    const clone = untaggedClone("forked", ["v2.0.0"]);
    git(clone, "remote", "rename", "origin", "upstream");
    git(clone, "remote", "add", "origin", "/nowhere");
    await readCheckout(treeOf(clone));
    expect(notes).toEqual([expect.stringContaining("run `git fetch --tags upstream`")]);
  });

  describe("a clone without the tag of the newest release in its changelog", () => {
    /** With `v1.10.0` and, unless `released` is false, `v2.0.0` at the remote; only `v1.10.0` is fetched. */
    function clonedEarly(name: string, { released = true } = {}): string {
      const clone = untaggedClone(name, ["v1.10.0", ...(released ? ["v2.0.0"] : [])]);
      git(clone, "fetch", "--quiet", "origin", "tag", "v1.10.0");
      addChangelog(clone);
      return clone;
    }

    const WARNING =
      "warning: CHANGELOG.md has 2.0.0, but this clone has no tag `v2.0.0`, and there is no remote to ask for " +
      "one: its version may lie below a release until `git fetch --tags` brings the tags";

    function addChangelog(top: string): void {
      const entries = ["## Unreleased", "## 2.0.0 - 2026-11-23", "## 1.10.0 - 2026-11-01"];
      writeFileSync(join(top, "CHANGELOG.md"), `# Changelog\n\n${entries.join("\n\n")}\n`);
      git(top, "add", "CHANGELOG.md");
      commit(top, "a changelog");
    }

    test("lacks a tag that the remote has", async () => {
      const clone = clonedEarly("partly");
      const problem = "this clone lacks tags such as `v2.0.0`: its version lies below that release";
      await readCheckout(treeOf(clone));
      expect(notes).toEqual([`warning: ${problem}; run \`git fetch --tags origin\``]);
      const refused = readCheckout(treeOf(clone), { untagged: "refuse" });
      await expect(refused).rejects.toMatchObject({ message: problem });
      git(clone, "fetch", "--quiet", "--tags", "origin");
      notes.length = 0;
      await readCheckout(treeOf(clone), { untagged: "refuse" });
      expect(notes).toEqual([]);
    });

    test("is up to date when the remote has no newer tag: the release is being prepared", async () => {
      const clone = clonedEarly("prepared", { released: false });
      await readCheckout(treeOf(clone), { untagged: "refuse" });
      expect(notes).toEqual([]);
    });

    test.each(["tell", "refuse", "allow"] as const)(
      "causes a warning when the remote cannot be asked: %s",
      async (untagged) => {
        const clone = clonedEarly(`offline-${untagged}`);
        git(clone, "remote", "remove", "origin");
        await readCheckout(treeOf(clone), { untagged });
        expect(notes).toEqual([WARNING]);
      },
    );

    test("causes a warning even without any tag or remote", async () => {
      const clone = untaggedClone("offline-untagged", ["v2.0.0"]);
      git(clone, "remote", "remove", "origin");
      addChangelog(clone);
      await readCheckout(treeOf(clone));
      expect(notes).toEqual([WARNING]);
    });
  });

  test("uncommitted changes are refused, or packed and marked", async () => {
    const top = newRepository("dirty");
    commit(top, "one");
    writeFileSync(join(top, "package.json"), '{ "version": "2.0.0", "a": 1 }\n');
    await expect(readCheckout(treeOf(top))).rejects.toThrow(
      "uncommitted changes in `package.json`",
    );
    const { version, treeish } = await readCheckout(treeOf(top), { allowDirty: true });
    expect(version).toMatch(/^2\.0\.0~0\.20261123140201\.g[0-9a-f]{10}\.dirty$/);
    expect(git(top, "show", `${treeish}:package.json`)).toContain('"a": 1');
    expect(git(top, "status", "--porcelain")).toBe("M package.json");
  });

  test("a repository without a commit", async () => {
    const top = newRepository("empty");
    await expect(readCheckout(treeOf(top))).rejects.toThrow("the repository has no commit yet");
  });

  test("no repository at all", async () => {
    await expect(readCheckout(treeOf(scratch))).rejects.toThrow(
      `\`${scratch}\` is neither a git repository nor an unpacked source archive`,
    );
  });

  test("no git program: the error names the package's command", async () => {
    const top = newRepository("gitless");
    commit(top, "one");
    const error = await readCheckout(treeOf(top, { PATH: "/nowhere" })).catch((it) => it);
    expect(error.message).toBe("`git` is not installed");
    expect(error.hint).toMatch(/^(run `(apt-get|dnf) install .*git|install what provides)/);
  });
});
