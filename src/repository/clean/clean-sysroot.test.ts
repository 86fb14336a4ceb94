import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLibc } from "../../native/libc.ts";
import { objectPath, sha256 } from "../../ostree/objects.ts";
import { BLOB_PREFIX, blobRef, imageRef } from "../../ostree/ref-names.ts";
import { formatEmptyCommit } from "../../testing/empty-commit.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { listRefs } from "../files.ts";
import { IMAGE_KEYS } from "../image-commit.ts";
import { cleanSysroot, describeCleanup } from "./clean-sysroot.ts";
import { pruneImages, pruneLayers, removeImages } from "./cleanup.ts";

let root: string;
let repo: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootc-clean-"));
  repo = join(root, "ostree/repo");
  write("config", "[core]\nmode=bare\n");
  mkdirSync(join(repo, "objects"));
  mkdirSync(join(root, "ostree/deploy"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(repo, path)), { recursive: true });
  writeFileSync(join(repo, path), content);
}

function setRef(ref: string, commit: string): void {
  write(`refs/heads/${ref}`, `${commit}\n`);
}

function addCommit(metadata: Readonly<Record<string, string>>): string {
  const bytes = formatEmptyCommit(metadata);
  write(objectPath(sha256(bytes), "commit"), bytes);
  return sha256(bytes);
}

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** A stored image of one layer, which has a ref of its own. */
function addImage(layer: string): string {
  const descriptor = (it: string) => ({ mediaType: "x", digest: it, size: 1 });
  const manifest = {
    schemaVersion: 2,
    config: descriptor(digest("0")),
    layers: [descriptor(layer)],
  };
  setRef(blobRef(layer), "b".repeat(64));
  return addCommit({
    [IMAGE_KEYS.manifest]: JSON.stringify(manifest),
    [IMAGE_KEYS.manifestDigest]: digest("1"),
  });
}

const BASES = "ostree/container/baseimage/bootc";
const LOCK: ScriptLine = ["+ flock --exclusive --nonblock --conflict-exit-code 75 3"];
const PRUNE: readonly ScriptLine[] = [" --commit-only", ""].map((it) => [
  `? ostree prune --repo=ROOT/ostree/repo --refs-only --depth=0${it}`,
  "No unreachable objects\n",
]);
/** What `ostree refs` does, on the repository of this test. */
const create = (i: number, commit: string): ScriptLine => [
  `+ ostree refs --repo=ROOT/ostree/repo --force --create=${BASES}/${i} ${commit}`,
  () => setRef(`${BASES}/${i}`, commit),
];
const remove = (...refs: string[]): ScriptLine => [
  `+ ostree refs --repo=ROOT/ostree/repo --delete ${refs.join(" ")}`,
  () => refs.forEach((it) => void rmSync(join(repo, "refs/heads", it))),
];

async function clean(script: readonly ScriptLine[]) {
  const { ctx, requireAllUsed } = scriptedContext(root, [LOCK, ...script, ...PRUNE]);
  const cleaned = await cleanSysroot(ctx, { sysroot: root, repo });
  requireAllUsed();
  return cleaned;
}

test("the image below a commit made on this host keeps its layers; what nobody needs goes", async () => {
  const base = addImage(digest("a"));
  addImage(digest("c"));
  setRef("ostree/0/1/0", addCommit({ "bootc.derived": base }));
  const cleaned = await clean([create(0, base), remove(blobRef(digest("c")))]);
  expect(cleaned).toMatchObject({ images: 0, layers: 1 });
  expect(await listRefs(repo, BLOB_PREFIX)).toEqual([blobRef(digest("a"))]);
  expect(readFileSync(join(repo, `refs/heads/${BASES}/0`), "utf8")).toBe(`${base}\n`);
});

test("a base that has its ref already costs no program", async () => {
  const base = addImage(digest("a"));
  setRef("ostree/0/1/0", addCommit({ "bootc.derived": base }));
  setRef(`${BASES}/0`, base);
  expect(await clean([])).toMatchObject({ layers: 0 });
});

test("the base of two deployments is kept once, that of none no longer", async () => {
  const [old, base] = [addImage(digest("a")), addImage(digest("c"))];
  setRef(`${BASES}/0`, old);
  setRef("ostree/0/1/0", addCommit({ "bootc.derived": base }));
  setRef("ostree/1/1/0", addCommit({ "bootc.derived": base, other: "x" }));
  await clean([create(1, base), remove(`${BASES}/0`), remove(blobRef(digest("a")))]);
  expect(await listRefs(repo, BLOB_PREFIX)).toEqual([blobRef(digest("c"))]);
});

test("a base keeps its ref whatever the order of deployments, also while that of another is made", async () => {
  const [old, kept, late] = ["a", "c", "d"].map((it) => addImage(digest(it))) as [
    string,
    string,
    string,
  ];
  setRef(`${BASES}/0`, old);
  setRef(`${BASES}/1`, kept);
  setRef("ostree/0/1/0", addCommit({ "bootc.derived": kept }));
  setRef("ostree/0/1/1", addCommit({ "bootc.derived": old }));
  await clean([remove(blobRef(digest("d")))]);
  setRef(blobRef(digest("d")), "b".repeat(64));
  setRef("ostree/0/1/1", addCommit({ "bootc.derived": late }));
  await clean([create(2, late), remove(`${BASES}/0`), remove(blobRef(digest("a")))]);
  expect(await listRefs(repo, BASES)).toEqual([`${BASES}/1`, `${BASES}/2`]);
});

test("a base that the repository has lost gets no ref, and loses the one it has", async () => {
  const lost = "f".repeat(64);
  setRef("ostree/0/1/0", addCommit({ "bootc.derived": lost }));
  await clean([]);
  setRef(`${BASES}/0`, lost);
  await clean([remove(`${BASES}/0`)]);
});

test("a base that no deployment has any more loses its ref", async () => {
  setRef(`${BASES}/0`, addImage(digest("a")));
  await clean([remove(`${BASES}/0`), remove(blobRef(digest("a")))]);
});

test("a deployment that has lost its ref gets another, which keeps its layers", async () => {
  const [lost, base] = [addImage(digest("a")), addImage(digest("c"))];
  const derived = addCommit({ "bootc.derived": base });
  const unstored = "0".repeat(64);
  for (const it of [lost, derived, unstored]) {
    mkdirSync(join(root, `ostree/deploy/default/deploy/${it}.0`), { recursive: true });
  }
  const [first = "", second = ""] = [lost, derived].sort();
  await clean([create(0, base), create(1, first), create(2, second)]);
  expect(await listRefs(repo, BLOB_PREFIX)).toHaveLength(2);
  // ostree makes the refs of all deployments when it changes one.
  for (const [i, it] of [lost, derived].entries()) setRef(`ostree/0/1/${i}`, it);
  await clean([remove(`${BASES}/1`, `${BASES}/2`)]);
});

test("the image below a commit has its ref before its image's own goes", async () => {
  const base = addImage(digest("a"));
  const name = "docker://quay.io/os";
  setRef(imageRef(name), base);
  setRef("ostree/0/1/0", addCommit({ "bootc.derived": base }));
  await clean([create(0, base), remove(imageRef(name))]);
  expect(await listRefs(repo, BLOB_PREFIX)).toEqual([blobRef(digest("a"))]);
  rmSync(join(repo, `refs/heads/${BASES}/0`));
  setRef(imageRef(name), base);
  const { ctx, requireAllUsed } = scriptedContext(root, [create(0, base), remove(imageRef(name))]);
  await removeImages(ctx, repo, [name]);
  requireAllUsed();
});

test("without a damaged commit's base, no image goes", async () => {
  const name = "docker://quay.io/os";
  setRef(imageRef(name), addImage(digest("a")));
  setRef("ostree/0/1/0", "f".repeat(64));
  const { ctx, transcript } = scriptedContext(root, []);
  await expect(pruneImages(ctx, { sysroot: root, repo })).rejects.toThrow("is not in the repo");
  expect(transcript().trim()).toBe("");
});

test("a repository that is reached by a link or another mount keeps its deployments", async () => {
  const lost = addImage(digest("a"));
  mkdirSync(join(root, `ostree/deploy/default/deploy/${lost}.0`), { recursive: true });
  setRef(`${BASES}/0`, lost);
  const prune = async (path: string, script: readonly ScriptLine[]) => {
    const { ctx, requireAllUsed } = scriptedContext(root, script);
    expect(await pruneLayers(ctx, path)).toBe(0);
    requireAllUsed();
  };
  symlinkSync("ostree/repo", join(root, "link"));
  await prune(join(root, "link"), []);
  // This path is like a mount of the repository alone, without a sysroot around it.
  mkdirSync(join(root, "mount/ostree"), { recursive: true });
  for (const place of ["mount/repo", "mount/ostree/repo"]) {
    renameSync(repo, join(root, place));
    await prune(join(root, place), []);
    renameSync(join(root, place), repo);
  }
});

test("a deployment gets its ref also where the sysroot's repository is a link", async () => {
  const lost = addImage(digest("a"));
  mkdirSync(join(root, `ostree/deploy/default/deploy/${lost}.0`), { recursive: true });
  mkdirSync(join(root, "data"));
  renameSync(repo, join(root, "data/repo"));
  symlinkSync("../data/repo", repo);
  expect(await clean([create(0, lost)])).toMatchObject({ layers: 0 });
});

test("what interrupted pulls left goes as well", async () => {
  write("extensions/bootc/blobs/sha256/00", "a blob");
  write("tmp/bootc-pull-abcdef/config", "");
  await clean([]);
  expect(existsSync(join(repo, "extensions/bootc/blobs"))).toBe(false);
  expect(existsSync(join(repo, "tmp/bootc-pull-abcdef"))).toBe(false);
});

test("a ref or a file to which a killed ostree gave no name goes, with what it kept", async () => {
  const base = addImage(digest("a"));
  const ref = "ostree/0/1/tmp.aB3dE9";
  setRef(ref, addCommit({ "bootc.derived": base }));
  setRef("ostree/0/1/0", addCommit({ other: "x" }));
  const deploy = "ostree/deploy/default/deploy";
  mkdirSync(join(root, deploy), { recursive: true });
  for (const it of ["tmp.Xy1z23", "tmp.known"]) writeFileSync(join(root, deploy, it), "");
  mkdirSync(join(root, deploy, "tmp.abc123"));
  await clean([remove(blobRef(digest("a")))]);
  expect(await listRefs(repo, "ostree/0")).toEqual(["ostree/0/1/0"]);
  expect(readdirSync(join(root, deploy)).sort()).toEqual(["tmp.abc123", "tmp.known"]);
  expect(existsSync(join(root, "ostree/lock"))).toBe(false);
});

test("while another program has ostree's lock, it may be about to give them their names", async () => {
  const ref = "ostree/1/0/tmp.aB3dE9";
  setRef(ref, addCommit({}));
  const fd = openSync(join(root, "ostree/lock"), "w+");
  try {
    expect(openLibc()?.tryLock(fd, "exclusive")).toBe(true);
    await clean([]);
  } finally {
    closeSync(fd);
  }
  expect(existsSync(join(repo, "refs/heads", ref))).toBe(true);
});

test("a layer or an image without a name does not stop it", async () => {
  for (const it of ["blob", "image/docker", "baseimage/bootc"]) {
    setRef(`ostree/container/${it}/tmp.aB3dE9`, addImage(digest("a")));
  }
  await clean([remove(blobRef(digest("a")))]);
  expect(readdirSync(join(repo, "refs/heads/ostree/container/image/docker"))).toEqual([]);
  expect(readdirSync(join(repo, "refs/heads", BLOB_PREFIX))).toEqual([]);
});

const NOTHING = { objects: 0, size: "0 bytes" };

test.each([
  [{ images: 0, layers: 0, pruned: NOTHING }, undefined],
  [{ images: 1, layers: 0, pruned: NOTHING }, "Pruned images: 1 (layers: 0, objsize: 0 bytes)"],
  [{ images: 0, layers: 2, pruned: NOTHING }, "Pruned images: 0 (layers: 2, objsize: 0 bytes)"],
  [
    { images: 0, layers: 0, pruned: { objects: 3, size: "1 kB" } },
    "Pruned images: 0 (layers: 0, objsize: 1 kB)",
  ],
])("of %o a person reads %j", (cleanup, want) => {
  expect(describeCleanup(cleanup)).toBe(want);
});
