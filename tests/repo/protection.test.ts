// Images that are pulled and not deployed yet, with concurrent clean-ups, other runs, and killed runs.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseOstreeReference } from "../../src/image/reference.ts";
import { planPull } from "../../src/pull/plan/plan.ts";
import { pullImage } from "../../src/pull/pull.ts";
import { cleanSysroot } from "../../src/repository/clean/clean-sysroot.ts";
import { withProtection } from "../../src/repository/clean/protection.ts";
import { createContext } from "../../src/system/run.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch } from "./program.ts";
import { leftovers } from "./served-image.ts";
import { makeTinyImage } from "./tiny-image.ts";

const PREFIX = "ostree/container/baseimage/bootc-pull";

describeEachOstree(() => {
  let scratch: Scratch;
  let sysroot: string;
  let repo: string;
  let count = 0;

  beforeAll(async () => {
    scratch = await makeScratch();
    for (const tag of ["a", "b"]) {
      const dir = join(scratch.dir, tag);
      await mkdir(dir);
      await makeTinyImage(dir, "os", {
        layers: [{ "/usr/common": "x" }, { [`/usr/${tag}`]: tag }],
      });
    }
  });
  afterAll(() => scratch?.remove());
  beforeEach(async () => {
    sysroot = join(scratch.dir, `sysroot-${count++}`);
    repo = join(sysroot, "ostree/repo");
    await mkdir(sysroot);
    ostree("admin", "init-fs", "--modern", sysroot);
  });

  const name = (tag: string) => `oci:${join(scratch.dir, tag)}:os`;
  const ctx = () => createContext({ env: process.env });
  const refs = (prefix: string) =>
    ostree("refs", `--repo=${repo}`, "--list", prefix).split("\n").filter(Boolean);
  const images = async () => {
    const words = ["internals", "ostree-container", "image", "list", "--repo", repo];
    return (await bootc(words)).stdout.split("\n").filter(Boolean);
  };
  async function pruneImages(...more: readonly string[]): Promise<void> {
    const words = ["image", "prune-images", "--sysroot", sysroot, "--full", ...more];
    const ended = await bootc(["internals", "ostree-container", ...words]);
    expect(ended.status, ended.stderr).toBe(0);
  }

  /** Pulls an image like a verb that will deploy it, and runs `work` before the deployment. */
  async function whileProtected(tag: string, work: () => Promise<void>): Promise<void> {
    const reference = parseOstreeReference(`ostree-unverified-image:${name(tag)}`);
    await withProtection(ctx(), repo, async (protection) => {
      const plan = await planPull(ctx(), { repo, reference, requiresBootable: false });
      await pullImage(ctx(), plan, { protection });
      await work();
    });
  }

  test("each run protects its own image from every clean-up, and releases no other", async () => {
    await whileProtected("a", async () => {
      await whileProtected("b", async () => {
        expect(refs(PREFIX)).toHaveLength(2);
        await pruneImages();
        expect(await images()).toEqual([name("a"), name("b")]);
      });
      expect(refs(PREFIX)).toHaveLength(1);
      await cleanSysroot(ctx(), { sysroot, repo });
      expect(await images()).toEqual([name("a")]);
      ostree("fsck", `--repo=${repo}`, "--quiet");
    });
    expect(refs(PREFIX)).toEqual([]);
    expect(await leftovers(repo)).toEqual([]);
    await pruneImages();
    expect(await images()).toEqual([]);
    expect(refs("ostree/container/blob")).toEqual([]);
  });

  test("an image that was already pulled is protected as well", async () => {
    await bootc(pullArgs(repo, `ostree-unverified-image:${name("a")}`));
    await whileProtected("a", async () => {
      await pruneImages();
      expect(await images()).toEqual([name("a")]);
    });
    expect(refs(PREFIX)).toEqual([]);
  });

  test("the next run removes the refs of a killed one, and the old shared ref", async () => {
    const killed = spawn(
      process.execPath,
      [join(import.meta.dirname, "protect-and-wait.ts"), repo, name("a")],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    await new Promise((resolve) => killed.stdout.once("data", resolve));
    const [protectedCommit] = refs(PREFIX).map((it) =>
      ostree("rev-parse", `--repo=${repo}`, it).trim(),
    );
    await pruneImages();
    expect(await images()).toEqual([name("a")]);
    killed.kill("SIGKILL");
    await new Promise((resolve) => killed.once("close", resolve));
    ostree("refs", `--repo=${repo}`, `--create=${PREFIX}/pending`, protectedCommit ?? "");
    expect(refs(PREFIX)).toHaveLength(2);

    // A pull of an image that is already stored is the quickest "next run".
    const next = await bootc(pullArgs(repo, `ostree-unverified-image:${name("a")}`));
    expect(next).toMatchObject({ status: 0 });
    expect(refs(PREFIX)).toEqual([]);
    expect(await leftovers(repo)).toEqual([]);
  });

  test("a clean-up also detects that a run was killed", async () => {
    await bootc(pullArgs(repo, `ostree-unverified-image:${name("a")}`));
    const [image = ""] = refs("ostree/container/image");
    const commit = ostree("rev-parse", `--repo=${repo}`, image).trim();
    ostree("refs", `--repo=${repo}`, `--create=${PREFIX}/pending`, commit);
    await pruneImages();
    expect([await images(), refs(PREFIX)]).toEqual([[], []]);
  });

  test("a pull that deploys nothing writes no such ref", async () => {
    await bootc(pullArgs(repo, `ostree-unverified-image:${name("a")}`));
    expect(await images()).toEqual([name("a")]);
    // A deleted ref would have left its directory.
    expect(existsSync(join(repo, "refs/heads/ostree/container/baseimage"))).toBe(false);
    expect((await readdir(join(repo, "extensions/bootc"))).sort()).toEqual(["blobs", "lock"]);
  });
});
