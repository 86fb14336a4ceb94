// Our own transactions: what is there at which moment, and ostree beside them.
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { formatDirtree } from "../../src/ostree/dirtree.ts";
import {
  FILE_TYPES,
  formatDirmeta,
  formatFileHeader,
  objectPath,
  sha256,
} from "../../src/ostree/objects.ts";
import { addCommit, createScratch, type Scratch } from "../../src/repository/scratch.ts";
import { tryPublish } from "../../src/repository/transaction.ts";
import type { Context } from "../../src/system/context.ts";
import { testThroughDoor as test } from "./door.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { createTestRepo, type TestRepo } from "./test-repo.ts";

const OWNER = { uid: 0, gid: 0, xattrs: [] };
const META = formatDirmeta({ ...OWNER, mode: FILE_TYPES.directory | 0o755 });
const CONTENT = Buffer.from("content");
const HEADER = formatFileHeader({
  ...OWNER,
  mode: FILE_TYPES.regular | 0o644,
  symlinkTarget: "",
});
const FILE = sha256(HEADER, CONTENT);
const TREE = formatDirtree({ files: [{ name: "a", checksum: FILE }], dirs: [] });
const REF = "bootc-pull/pending/x";

describeEachOstree((ostree) => {
  let it: TestRepo;
  let scratch: Scratch;
  let commit: string;
  beforeEach(async () => {
    it = createTestRepo(ostree);
    it.ostree("config", "set", "core.fsync", "true");
    it.ostree("config", "set", "core.lock-timeout-secs", "0");
    scratch = await createScratch(it.repo, "bare");
    scratch.add(FILE, "file", CONTENT);
    scratch.add(sha256(META), "dirmeta", META);
    scratch.add(sha256(TREE), "dirtree", TREE);
    commit = addCommit(scratch, {
      ...{ metadata: [], parent: undefined, subject: "", body: "", timestampEpoch: 1 },
      ...{ rootTree: sha256(TREE), rootMeta: sha256(META) },
    });
    await scratch.setRef(REF, commit);
  });
  afterEach(() => {
    scratch.remove();
    it.remove();
  });

  /** Publishes the scratch repository; `onFlush` is called before each flush of the file system. */
  async function publish(
    onFlush: (count: number) => void,
    unproven: readonly string[] = [commit],
  ): Promise<boolean> {
    let count = 0;
    const run: Context["run"] = async (program, args, options) => {
      if (program === "sync") onFlush(++count);
      await it.ctx.run(program, args, options);
    };
    return await tryPublish({ ...it.ctx, run }, { repo: it.repo, scratch, unproven });
  }

  const inRepo = (path: string) => existsSync(join(it.repo, path));
  const hasFile = () => inRepo(objectPath(FILE, "file"));
  const hasCommit = () => inRepo(objectPath(commit, "commit"));
  const isMarked = () => inRepo(`state/${commit}.commitpartial`);
  const hasRef = () => inRepo(`refs/heads/${REF}`);

  test("content is on the disk before it has a name, and names are before a ref is", async () => {
    const seen: unknown[] = [];
    const isOurs = await publish((count) => {
      seen.push([count, isMarked(), hasFile(), hasCommit(), hasRef()]);
    });
    expect(isOurs).toBe(true);
    expect(seen).toEqual([
      [1, true, false, false, false],
      [2, true, true, true, false],
    ]);
    expect([isMarked(), hasRef()]).toEqual([false, true]);
    expect(it.ostree("rev-parse", REF)).toBe(commit);
    expect(it.ostree("cat", commit, "/a")).toBe("content");
    it.ostree("fsck", "--quiet");
  });

  test("ostree does not prune meanwhile, and writes beside it", async () => {
    const tree = join(it.work, "tree");
    mkdirSync(tree);
    const another = createTestRepo(ostree);
    try {
      another.ostree("commit", "--branch=another", `--tree=dir=${tree}`);
      await publish(() => {
        expect(() => it.ostree("prune", "--refs-only", "--depth=0")).toThrow(/[Ll]ock/);
        it.ostree("pull-local", another.repo);
      });
    } finally {
      another.remove();
    }
    expect(it.ostree("refs").split("\n").sort()).toEqual(["another", REF]);
    it.ostree("prune", "--refs-only", "--depth=0");
    expect(it.ostree("cat", REF, "/a")).toBe("content");
    it.ostree("fsck", "--quiet");
  });

  test("what another program writes meanwhile is overwritten by the same", async () => {
    const tree = join(it.work, "tree");
    mkdirSync(tree);
    writeFileSync(join(tree, "b"), CONTENT);
    await publish(() => {
      it.ostree(
        "commit",
        "--branch=another",
        "--owner-uid=0",
        "--owner-gid=0",
        `--tree=dir=${tree}`,
      );
    });
    expect(it.ostree("cat", "another", "/b")).toBe("content");
    it.ostree("fsck", "--quiet");
  });

  test("a commit that lacks an object is refused, and nothing is moved", async () => {
    const missing = "0".repeat(64);
    const bytes = formatDirtree({ files: [{ name: "a", checksum: missing }], dirs: [] });
    scratch.add(sha256(bytes), "dirtree", bytes);
    const damaged = addCommit(scratch, {
      ...{ metadata: [], parent: undefined, subject: "", body: "", timestampEpoch: 2 },
      ...{ rootTree: sha256(bytes), rootMeta: sha256(META) },
    });
    await scratch.setRef(REF, damaged);
    await expect(publish(() => {}, [damaged])).rejects.toMatchObject({
      kind: "integrity",
      message: `the object ${missing}.file is not in the repository`,
    });
    expect([hasRef(), hasFile()]).toEqual([false, false]);
  });

  test("what belongs to none of the commits is not moved", async () => {
    const garbage = formatDirtree({ files: [], dirs: [] });
    const another = Buffer.concat([TREE, garbage]);
    scratch.add(sha256(another), "dirtree", another);
    await publish(() => {});
    expect(inRepo(objectPath(sha256(another), "dirtree"))).toBe(false);
    expect(it.ostree("prune", "--refs-only", "--depth=0")).toContain("No unreachable objects");
  });

  test("a commit that was there in part is whole afterwards", async () => {
    await publish(() => {});
    const again = await createScratch(it.repo, "bare");
    writeFileSync(join(it.repo, `state/${commit}.commitpartial`), "");
    await again.setRef("second", commit);
    await tryPublish(it.ctx, { repo: it.repo, scratch: again, unproven: [] });
    again.remove();
    expect(isMarked()).toBe(false);
    expect(it.ostree("rev-parse", "second")).toBe(commit);
  });

  test("a ref takes the place of an empty directory, and the repository's time changes", async () => {
    mkdirSync(join(it.repo, "refs/heads", REF), { recursive: true });
    utimesSync(it.repo, 1, 1);
    await publish(() => {});
    expect(readFileSync(join(it.repo, "refs/heads", REF), "utf8")).toBe(`${commit}\n`);
    expect(statSync(it.repo).mtimeMs).toBeGreaterThan(1_000_000);
    expect(statSync(join(it.repo, "refs/heads", REF)).mode & 0o777).toBe(0o644);
  });
});
