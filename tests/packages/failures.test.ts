import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneTo, git, missingProgram, SHARED_CACHE, scratchFolder, xtask } from "./clone.ts";

const missing = missingProgram("git", "rpmbuild");

/** Standard error without what npm and git say on their own. */
const errorOf = (stderr: string) => stderr.split("\n").filter((it) => /^(error|hint): /.test(it));

describe.skipIf(missing)(`failing well${missing ? ` (${missing})` : ""}`, () => {
  const scratch = scratchFolder("failures");
  const clone = join(scratch, "clone");

  beforeAll(() => {
    cloneTo(clone);
    // Tests start with earlier downloads, of which there may be none.
    mkdirSync(join(SHARED_CACHE, "packages"), { recursive: true });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** Nothing that looks finished, and nothing half made under another name. */
  function expectNothingMade(): void {
    const target = join(clone, "target");
    const made = existsSync(target) ? readdirSync(target) : [];
    expect(made.filter((it) => it.endsWith(".rpm") || it.startsWith("."))).toEqual([]);
  }

  /** A change of one file, committed for the time of `work`. */
  function withChange(path: string, change: (text: string) => string, work: () => void): void {
    const before = git(clone, "rev-parse", "HEAD");
    const file = join(clone, path);
    writeFileSync(file, change(readFileSync(file, "utf8")));
    git(clone, "commit", "--quiet", "--all", "--message=test: Change it");
    try {
      work();
    } finally {
      git(clone, "reset", "--quiet", "--hard", before);
    }
  }

  /** A PATH with everything but `names`. */
  function pathWithout(...names: readonly string[]): string {
    const folder = join(scratch, `path-without-${names.join("-")}`);
    mkdirSync(folder);
    for (const from of (process.env.PATH ?? "").split(":").filter((it) => existsSync(it)))
      for (const name of readdirSync(from))
        if (!names.includes(name) && !existsSync(join(folder, name)))
          try {
            symlinkSync(join(from, name), join(folder, name));
          } catch {
            // The name is there as a link to nothing.
          }
    return folder;
  }

  test.each(["git", "rpmbuild"])("no %s: the error names the command that installs it", (name) => {
    const env = { PATH: pathWithout(name) };
    const { status, stdout, stderr } = xtask(["package-srpm"], { cwd: clone, env });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(errorOf(stderr)).toEqual([
      `error: \`${name}\` is not installed`,
      expect.stringMatching(/^hint: (run `(apt-get|dnf) install |install what provides)/),
    ]);
    expectNothingMade();
  });

  test("no npm, and nothing installed yet: the bootstrap names the command, too", () => {
    const modules = join(clone, "node_modules");
    rmSync(modules);
    const env = { PATH: pathWithout("npm") };
    const { status, stdout, stderr } = xtask(["package-srpm"], { cwd: clone, env });
    symlinkSync(join(import.meta.dirname, "../../node_modules"), modules);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(errorOf(stderr)).toEqual([
      "error: `npm` is not installed",
      expect.stringMatching(/^hint: (run `(apt-get|dnf) install |install npm)/),
    ]);
    expectNothingMade();
  });

  test("tags that only the origin has: refused, with the command that fetches them", () => {
    const origin = join(scratch, "tagged.git");
    git(scratch, "clone", "--quiet", "--bare", clone, origin);
    git(origin, "tag", "v9.9.9", "HEAD");
    const tags = git(clone, "tag", "--list")
      .split("\n")
      .filter((it) => it !== "");
    if (tags.length > 0) git(clone, "tag", "--delete", ...tags);
    git(clone, "remote", "set-url", "origin", origin);
    for (const name of ["package-srpm", "package-rpm"]) {
      const { status, stdout, stderr } = xtask([name], { cwd: clone });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(errorOf(stderr)).toEqual([
        "error: this clone lacks tags such as `v9.9.9`: its version lies below that release",
        expect.stringMatching(/^hint: run `git fetch --tags origin`.*--allow-untagged$/),
      ]);
    }
    expectNothingMade();
    const { status, stderr } = xtask(["version"], { cwd: clone });
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^warning: /) });
    git(clone, "remote", "remove", "origin");
  });

  test("no tag: the version lies before the first release, whatever package.json says", () => {
    const { status, stdout, stderr } = xtask(["version"], { cwd: clone });
    // The changelog has releases whose tags are missing.
    const warning = expect.stringMatching(/^warning: CHANGELOG.md has .*`git fetch --tags`.*\n$/);
    expect({ status, stderr }).toEqual({ status: 0, stderr: warning });
    const commit = git(clone, "rev-parse", "HEAD").slice(0, 10);
    expect(stdout).toMatch(new RegExp(`^\\d+\\.\\d+\\.\\d+~0\\.\\d{14}\\.g${commit}\n$`));
  });

  test("an uncommitted change is refused", () => {
    const file = join(clone, "README.md");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, `${text}\n`);
    const { status, stderr } = xtask(["package-srpm"], { cwd: clone });
    writeFileSync(file, text);
    expect(status).toBe(1);
    expect(errorOf(stderr)).toEqual([
      "error: uncommitted changes in `README.md`",
      expect.stringContaining("--allow-dirty"),
    ]);
  });

  test("a lockfile that disagrees with package.json", () => {
    const change = (text: string) => text.replace(/"commander": "[^"]+"/, '"commander": "14.0.0"');
    withChange("package.json", change, () => {
      // The bootstrap looks at its own node_modules, so this clone may not share ours.
      const modules = join(clone, "node_modules");
      rmSync(modules);
      const { status, stdout, stderr } = xtask(["package-srpm"], { cwd: clone });
      rmSync(modules, { recursive: true, force: true });
      symlinkSync(join(import.meta.dirname, "../../node_modules"), modules);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(errorOf(stderr)).toEqual([
        "error: `npm ci` failed",
        expect.stringContaining("npm install --package-lock-only"),
      ]);
    });
  });

  /** The task under the pinned Node, without the bootstrap's look at the lockfile. */
  function task(args: readonly string[], env: Record<string, string | undefined> = {}) {
    return spawnSync(process.execPath, ["xtask/entry.ts", ...args], {
      cwd: clone,
      encoding: "utf8",
      env: { ...process.env, BOOTC_CACHE: SHARED_CACHE, CI: undefined, ...env },
    });
  }

  test("a package that does not match the lockfile: status 6, and its name", () => {
    const cache = join(scratch, "tampered");
    cpSync(join(SHARED_CACHE, "packages"), join(cache, "packages"), {
      recursive: true,
      filter: (it) => !/\/(commander-|node-linux)/.test(it),
    });
    const wrong = `sha512-${Buffer.alloc(64).toString("base64")}`;
    const change = (text: string) => {
      const lock = JSON.parse(text);
      lock.packages["node_modules/commander"].integrity = wrong;
      return `${JSON.stringify(lock, undefined, 2)}\n`;
    };
    withChange("package-lock.json", change, () => {
      const { status, stdout, stderr } = task(["package-srpm"], { BOOTC_CACHE: cache });
      expect({ status, stdout }, stderr).toEqual({ status: 6, stdout: "" });
      const [error, hint] = errorOf(stderr);
      expect(error).toMatch(/^error: .*`commander@[\d.]+` is not what the lockfile says/);
      expect(hint).toMatch(/^hint: /);
      expectNothingMade();
    });
  });

  test("a template with a missing value", () => {
    const change = (text: string) => text.replace("it.license", "it.licence");
    withChange("rpm/bootc.spec.ejs", change, () => {
      const { status, stdout, stderr } = task(["package-srpm"]);
      expect({ status, stdout }, stderr).toEqual({ status: 1, stdout: "" });
      expect(errorOf(stderr)).toEqual([
        "error: `rpm/bootc.spec.ejs` uses `it.licence`, which has no value",
        "hint: correct the name in the template, or give the value in xtask/spec.ts",
      ]);
      expect(existsSync(join(clone, "target/bootc.spec"))).toBe(false);
      expectNothingMade();
    });
  });

  test("a spec that rpm refuses", () => {
    const change = (text: string) => text.replace("Summary: ", "Sumary: ");
    withChange("rpm/bootc.spec.ejs", change, () => {
      const { status, stdout, stderr } = task(["package-srpm"]);
      expect({ status, stdout }, stderr).toEqual({ status: 1, stdout: "" });
      const [error, hint] = errorOf(stderr);
      expect(error).toMatch(/^error: making the source package: rpmbuild says: .*Sumary/);
      expect(hint).toContain("--verbose");
      expectNothingMade();
    });
  });

  const noMount = process.getuid?.() === 0 ? missingProgram("mount") : "needs to be root";
  test.skipIf(noMount)(`a full disk: status 8${noMount ? ` (${noMount})` : ""}`, () => {
    // Makes the compressed archives first, so that only their copies do not fit.
    expect(task(["spec"]).status).toBe(0);
    const target = join(clone, "target");
    rmSync(target, { recursive: true });
    mkdirSync(target);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=30m", "none", target]);
    try {
      const { status, stdout, stderr } = task(["package-srpm"]);
      expect({ status, stdout }, stderr).toEqual({ status: 8, stdout: "" });
      const [error, hint] = errorOf(stderr);
      expect(error).toMatch(/^error: .*(ENOSPC|disk is full)/);
      expect(hint).toMatch(/^hint: (free some space|make room in) /);
      expectNothingMade();
    } finally {
      execFileSync("umount", [target]);
    }
  });

  test("Ctrl-C while compressing: an error, and nothing half made", async () => {
    const cache = join(scratch, "interrupted");
    cpSync(join(SHARED_CACHE, "packages"), join(cache, "packages"), { recursive: true });
    const child = spawn(process.execPath, ["xtask/entry.ts", "package-srpm"], {
      cwd: clone,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, BOOTC_CACHE: cache },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (it) => {
      stdout += it;
    });
    child.stderr.on("data", (it) => {
      stderr += it;
      if (String(it).includes("compressing")) child.kill("SIGINT");
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect({ status, stdout }, stderr).toEqual({ status: 1, stdout: "" });
    expect(errorOf(stderr)[0]).toMatch(/^error: (.*: )?interrupted$/);
    const made = readdirSync(join(cache, "made"));
    expect(made.filter((it) => it.startsWith("node-") || it.startsWith("."))).toEqual([]);
    expectNothingMade();
  });
});
