import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Libc, openLibc } from "../../src/native/libc.ts";
import { isDoorShut } from "./door.ts";
import { dir, file, makeTar } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { createTestRepo, type TestRepo } from "./test-repo.ts";

function openedLibc(): Libc {
  const libc = openLibc();
  if (libc === undefined) throw new Error("the C library cannot be called");
  return libc;
}

describe.skipIf(isDoorShut).each(ostreeVersions())("ostree $version", (ostree) => {
  let it: TestRepo;
  let lock = -1;
  beforeEach(() => {
    it = createTestRepo(ostree);
    it.ostree("config", "set", "core.lock-timeout-secs", "0");
    mkdirSync(join(it.work, "tree"));
    lock = openSync(join(it.repo, ".lock"), "a+", 0o660);
  });
  afterEach(() => {
    closeSync(lock);
    it.remove();
  });

  const commit = () =>
    it.ostree("commit", "--branch=test", "--fsync=false", `--tree=dir=${join(it.work, "tree")}`);
  const prune = () => it.ostree("prune", "--refs-only");
  const locked = /[Ll]ock(ing)? .*(failed|unavailable)|Resource temporarily unavailable/;

  test("writes beside our shared lock, and does not prune", () => {
    expect(openedLibc().tryLock(lock, "shared")).toBe(true);
    commit();
    expect(prune).toThrow(locked);
    openedLibc().unlock(lock);
    prune();
  });

  test("neither writes nor prunes beside our exclusive lock", () => {
    expect(openedLibc().tryLock(lock, "exclusive")).toBe(true);
    expect(commit).toThrow(locked);
    expect(prune).toThrow(locked);
    openedLibc().unlock(lock);
    commit();
  });

  test("has a lock that we see while it writes", async () => {
    const words = ["commit", `--repo=${it.repo}`, "--orphan", "--tree=tar=-"];
    const child = spawn("ostree", words, { env: ostree.env, stdio: ["pipe", "ignore", "inherit"] });
    const ended = new Promise((end) => child.on("exit", end));
    const tar = makeTar([dir("."), file("a", Buffer.alloc(1 << 20))]);
    child.stdin.write(tar.subarray(0, 1 << 19));
    await vi.waitFor(() => expect(openedLibc().findLock(lock, "exclusive")).toBe("shared"), 60_000);
    expect(openedLibc().tryLock(lock, "exclusive")).toBe(false);
    expect(openedLibc().tryLock(lock, "shared")).toBe(true);
    child.stdin.end(tar.subarray(1 << 19));
    expect(await ended).toBe(0);
    expect(openedLibc().tryLock(lock, "exclusive")).toBe(true);
  });
});
