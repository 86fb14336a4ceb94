// `xtask release --publish` as a process, in a clone of this repository with its own tag and files.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatReleasedVersion } from "../../xtask/checkout/checkout.ts";
import { describeFile, RELEASE_FOLDER, writeManifest } from "../../xtask/release/manifest.ts";
import {
  GITHUB_TOKEN,
  type GitHubServer,
  REPOSITORY,
  startGitHubServer,
} from "../github-server.ts";

const TOP = resolve(import.meta.dirname, "../..");

let server: GitHubServer;
let top: string;
let commit: string;
let version: string;

const git = (...args: readonly string[]) =>
  execFileSync("git", args, { cwd: top, encoding: "utf8" }).trim();

beforeEach(async () => {
  server = await startGitHubServer();
  top = await mkdtemp(join(tmpdir(), "release-clone-"));
  execFileSync("git", ["clone", "--quiet", "--no-tags", TOP, top]);
  // The working copy is tested, including changes that are not committed.
  for (const name of ["xtask", "src", "CHANGELOG.md", "package.json"]) {
    await rm(join(top, name), { recursive: true });
    execFileSync("cp", ["-a", join(TOP, name), join(top, name)]);
  }
  await dropUnreleased();
  await symlink(join(TOP, "node_modules"), join(top, "node_modules"));
  git("config", "user.name", "t");
  git("config", "user.email", "t@example.org");
  git("add", "--all", "--", "xtask", "src", "CHANGELOG.md", "package.json");
  git("commit", "--quiet", "--allow-empty", "--message=Tested");
  commit = git("rev-parse", "HEAD");
  version = (JSON.parse(await readFile(join(top, "package.json"), "utf8")) as { version: string })
    .version;
  await makeFiles();
}, 60_000);

afterEach(async () => {
  await server.close();
  await rm(top, { recursive: true });
});

/** The commit of a release has no unreleased changes, unlike the working copy. */
async function dropUnreleased(): Promise<void> {
  const path = join(top, "CHANGELOG.md");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/^## Unreleased\n[\s\S]*?(?=^## )/m, ""));
}

async function makeFiles(): Promise<void> {
  const folder = join(top, RELEASE_FOLDER);
  await mkdir(folder, { recursive: true });
  const name = `bootc-${version}.tar.zst`;
  await writeFile(join(folder, name), "source");
  const files = [await describeFile(folder, { name, about: "source" })];
  const builtVersion = formatReleasedVersion(`v${version}`);
  await writeManifest(folder, { formatVersion: 1, version, builtVersion, commit, files });
}

async function release(...args: readonly string[]) {
  const child = spawn(process.execPath, [join(top, "xtask/entry.ts"), "release", ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: top,
      GITHUB_TOKEN,
      GITHUB_API_URL: server.url,
      GITHUB_REPOSITORY: REPOSITORY,
    },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const [status] = (await once(child, "close")) as [number | null];
  expect(stdout + stderr).not.toContain(GITHUB_TOKEN);
  return { status, stdout, stderr };
}

test("a release of the tagged commit, first dry, then for real, then again", async () => {
  git("tag", `v${version}`);
  server.tags.set(`v${version}`, commit);
  const dry = await release("--publish", "--dry-run");
  expect(dry).toMatchObject({ status: 0, stderr: expect.stringContaining("would upload: bootc-") });
  expect(server.releases).toEqual([]);

  const url = `https://github.com/${REPOSITORY}/releases/tag/v${version}\n`;
  expect(await release("--publish")).toMatchObject({ status: 0, stdout: url });
  expect(server.releases[0]?.fields).toMatchObject({ draft: false });
  const changelog = await readFile(join(top, "CHANGELOG.md"), "utf8");
  expect(changelog).toContain(String(server.releases[0]?.fields.body));

  const again = await release("--publish");
  expect(again).toMatchObject({
    status: 0,
    stdout: url,
    stderr: expect.stringContaining("already"),
  });
});

test("a tag that is not the version is refused before GitHub is asked", async () => {
  git("tag", "v9.9.9");
  const { status, stderr } = await release("--publish");
  expect(status).toBe(1);
  expect(stderr).toContain(`the tag is \`v9.9.9\`, but package.json says \`${version}\``);
  expect(server.seen).toEqual([]);
});

test("a tag at another commit, or none, is refused", async () => {
  expect((await release("--publish")).stderr).toContain("no tag points at this commit");
  git("tag", `v${version}`, "HEAD~1");
  const { status, stderr } = await release("--publish", "--tag", `v${version}`);
  expect(status).toBe(1);
  expect(stderr).toContain("is not at the commit that is checked out");
});

test("nothing built, nothing published; nothing asked, nothing done", async () => {
  await rm(join(top, RELEASE_FOLDER), { recursive: true });
  const { status, stderr } = await release("--publish");
  expect(status).toBe(1);
  expect(stderr).toContain("hint: build it: npm run xtask -- release --build");
  expect((await release()).status).toBe(2);
});
