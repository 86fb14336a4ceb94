// Repositories in which ostree could have mixed up files, or did.
import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatDirtree, parseDirtree, treeChecksum } from "../../src/ostree/dirtree.ts";
import { formatCommit, objectPath, parseCommit, sha256 } from "../../src/ostree/objects.ts";
import { missing } from "./install-lab.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch } from "./program.ts";
import { makeTinyImage } from "./tiny-image.ts";

let scratch: Scratch;
beforeAll(async () => {
  scratch = await makeScratch();
});
afterAll(() => scratch?.remove());

const repair = async (...words: readonly string[]) =>
  await bootc(["internals", "ostree-ext", "provisional-repair", ...words]);

const hasXfs = spawnSync("sh", ["-c", "command -v mkfs.xfs"]).status === 0;
const lacks = [...missing, ...(hasXfs ? [] : ["mkfs.xfs"])];
const why = lacks.length > 0 ? ` (needs ${lacks})` : "";

describe.skipIf(lacks.length > 0)(`on a file system with large inode numbers${why}`, () => {
  let mount: string;
  beforeAll(() => {
    // Each group of allocation is nearly 1 TiB large, and a directory begins in a group of its own.
    const image = join(scratch.dir, "xfs.img");
    mount = join(scratch.dir, "xfs");
    mkdirSync(mount);
    execFileSync("truncate", ["--size=9T", image]);
    execFileSync("mkfs.xfs", ["-q", "-d", "agsize=1023g", "-l", "size=64m", image]);
    execFileSync("mount", ["-o", "loop,inode64", image, mount]);
    return () => void execFileSync("umount", [mount]);
  });

  test("objects are found whose numbers have equal lower halves", async () => {
    const made = scratch.repo("made");
    const tree = join(scratch.dir, "tree");
    mkdirSync(tree);
    for (let i = 0; i < 600; i++) writeFileSync(join(tree, `${i}`), `${i}`);
    ostree("commit", `--repo=${made}`, "--branch=os", `--tree=dir=${tree}`);
    // ostree makes all files in one directory, a copy makes each in its own.
    const repo = join(mount, "repo");
    execFileSync("cp", ["--archive", made, repo]);
    const byHalf = Map.groupBy(inodesOf(repo), (it) => it & 0xffff_ffffn);
    const want = [...byHalf.values()].filter((it) => it.length > 1).flat();
    expect(want.length).toBeGreaterThan(10);

    const result = join(scratch.dir, "inodes.json");
    const words = ["--repo", repo, "--verbose", "--write-result-to", result];
    const { status, stdout, stderr } = await repair("analyze-inodes", ...words);
    expect(status).toBe(0);
    expect(stderr).toContain(`warning: ${want.length} potentially colliding inodes found\n`);
    expect(stderr.match(/^collision: inode \d+, object [0-9a-f]{64}$/gm)?.length).toBe(want.length);
    expect(stdout).not.toContain("OK");
    const { collisions, inode64, inode32 } = JSON.parse(readFileSync(result, "utf8"));
    expect(collisions).toEqual(want.map(Number).sort((a, b) => a - b));
    expect(inode64 + inode32).toBe(600);
  });
});

function inodesOf(repo: string): readonly bigint[] {
  return readdirSync(join(repo, "objects"), { recursive: true, encoding: "utf8" })
    .filter((it) => it.endsWith(".file"))
    .map((it) => lstatSync(join(repo, "objects", it), { bigint: true }).ino);
}

describeEachOstree(({ version }) => {
  const name = "oci";
  let sysroot: string;
  let repo: string;
  const reference = () => `ostree-unverified-image:oci:${join(scratch.dir, name)}:${version}`;
  const ref = () => {
    const refs = ostree("refs", `--repo=${repo}`, "--list", "ostree/container/image");
    return `ostree/container/image/${refs.trim().replace(/^ostree\/container\/image\//, "")}`;
  };
  const revision = () => ostree("rev-parse", `--repo=${repo}`, ref()).trim();
  beforeAll(async () => {
    sysroot = join(scratch.dir, `sysroot-${version}`);
    repo = join(sysroot, "ostree/repo");
    mkdirSync(join(sysroot, "ostree"), { recursive: true });
    ostree("init", `--repo=${repo}`, "--mode=bare");
    await makeTinyImage(join(scratch.dir, name), version, {
      layers: [
        { "usr/lib/one": "1111", "usr/lib/two": "2222", "usr/lib/other": "lower" },
        { "usr/lib/other": "upper", "usr/lib/more": "more" },
      ],
    });
    expect(await bootc(pullArgs(repo, reference(), "--quiet"))).toMatchObject({ status: 0 });
  });

  test("an image whose files are those of its layers is fine", async () => {
    const { status, stdout } = await repair("repair", "--sysroot", sysroot);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^OK image oci:.*\nOK no corruption found\n$/m);
    expect((await repair("analyze-inodes", "--repo", repo)).stdout).toContain(
      "OK: No colliding objects found.\n",
    );
  });

  test("an image with a file in the place of another one is removed, and pulled anew", async () => {
    const right = revision();
    mixUp(repo, ref(), ["usr", "lib"]);
    const wrong = revision();
    expect(wrong).not.toBe(right);
    expect(ostree("cat", `--repo=${repo}`, wrong, "/usr/lib/two")).toBe("1111");

    const result = join(scratch.dir, "result.json");
    const words = ["--sysroot", sysroot, "--write-result-to", result, "--verbose"];
    const trial = await repair("repair", ...words, "--dry-run");
    expect(trial.status).toBe(6);
    expect(trial.stderr).toContain("  other: /usr/lib/two\n");
    expect(trial.stderr).toContain("error: Found corruption in images: 1\nhint: ");
    expect(JSON.parse(readFileSync(result, "utf8"))).toMatchObject({
      "likely-corrupted-container-image-merges": [`oci:${join(scratch.dir, name)}:${version}`],
      "booted-is-likely-corrupted": false,
    });
    expect(revision()).toBe(wrong);

    const done = await repair("repair", ...words);
    expect(done).toMatchObject({ status: 0 });
    expect(done.stderr).toContain("Flushing cached state for corrupted merged image: oci:");
    expect(await bootc(pullArgs(repo, reference(), "--quiet"))).toMatchObject({ status: 0 });
    expect(ostree("cat", `--repo=${repo}`, revision(), "/usr/lib/two")).toBe("2222");
    expect((await repair("repair", "--sysroot", sysroot)).stdout).toContain("OK no corruption");
  });
});

/** What ostree did to a merge: `two` becomes the object of `one`. */
function mixUp(repo: string, ref: string, path: readonly string[]): void {
  const commit = ostree("rev-parse", `--repo=${repo}`, ref).trim();
  const parsed = parseCommit(readFileSync(join(repo, objectPath(commit, "commit"))));
  const write = (checksum: string, kind: "commit" | "dirtree", bytes: Buffer) => {
    mkdirSync(join(repo, "objects", checksum.slice(0, 2)), { recursive: true });
    writeFileSync(join(repo, objectPath(checksum, kind)), bytes);
    return checksum;
  };
  const change = (tree: string, [next, ...rest]: readonly string[]): string => {
    const { files, dirs } = parseDirtree(readFileSync(join(repo, objectPath(tree, "dirtree"))));
    const one = files.find((it) => it.name === "one")?.checksum ?? "";
    const bytes = formatDirtree({
      files: files.map((it) => (it.name === "two" ? { ...it, checksum: one } : it)),
      dirs: dirs.map((it) => (it.name === next ? { ...it, tree: change(it.tree, rest) } : it)),
    });
    return write(treeChecksum(bytes), "dirtree", bytes);
  };
  const bytes = formatCommit({ ...parsed, rootTree: change(parsed.rootTree, path) });
  const changed = write(sha256(bytes), "commit", bytes);
  ostree("refs", `--repo=${repo}`, "--delete", ref);
  ostree("refs", `--repo=${repo}`, `--create=${ref}`, changed);
}
