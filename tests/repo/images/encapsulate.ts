// Makes an ostree commit into layers of a container image, in both styles of upstream's exporter.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDirtree } from "../../../src/ostree/dirtree.ts";
import { objectPath, parseCommit, sha256, type Xattr } from "../../../src/ostree/objects.ts";
import { formatXattrs } from "../../../src/testing/objects.ts";
import type { TestRepo } from "../test-repo.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./tar-writer.ts";

/** `v1`: attribute records by checksum, with hard links to them; `newest`: one record per object. */
export type EncapsulationStyle = "v1" | "newest";

export interface Encapsulated {
  readonly commitLayer: readonly TestEntry[];
  readonly chunks: readonly (readonly TestEntry[])[];
}

export interface ContentObject {
  readonly checksum: string;
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly symlinkTarget: string | undefined;
  readonly xattrs: readonly Xattr[];
}

/** A bare repository, and an ostree for it. */
export type EncapsulationSource = Pick<TestRepo, "repo" | "ostree">;

const REPO = "sysroot/ostree/repo";

export interface EncapsulationOptions {
  readonly style: EncapsulationStyle;
  readonly chunkCount: number;
  /** The chunk of an object, from 1, or 0 for the commit layer; by default, each takes its turn. */
  readonly chunkOf?: (object: ContentObject, index: number) => number;
}

/** Splits `commit` of a bare repository into `chunkCount` chunk layers and the commit layer. */
export function encapsulate(
  it: EncapsulationSource,
  commit: string,
  { style, chunkCount, chunkOf = (_, i) => i % (chunkCount + 1) }: EncapsulationOptions,
): Encapsulated {
  const objects = listContent(it, commit);
  const inChunk = (wanted: number) => objects.filter((object, i) => chunkOf(object, i) === wanted);
  const skeleton = [
    dir("."),
    dir("sysroot"),
    dir("sysroot/ostree"),
    dir(REPO),
    dir(`${REPO}/objects`),
  ];
  const content = (some: readonly ContentObject[]) => contentEntries(it, some, style);
  return {
    commitLayer: [
      ...skeleton,
      file(`${REPO}/config`, "[core]\nrepo_version=1\nmode=bare-split-xattrs\n"),
      ...metadataEntries(it, commit),
      ...content(inChunk(0)),
    ],
    chunks: Array.from({ length: chunkCount }, (_, i) => [...skeleton, ...content(inChunk(i + 1))]),
  };
}

export function encapsulatedTars(
  it: EncapsulationSource,
  commit: string,
  options: EncapsulationOptions,
): { readonly commitLayer: Buffer; readonly chunks: readonly Buffer[] } {
  const { commitLayer, chunks } = encapsulate(it, commit, options);
  return { commitLayer: makeTar(commitLayer), chunks: chunks.map(makeTar) };
}

/** Commit first, its detached metadata next, then directories with the plain ones as users see them. */
function metadataEntries(it: EncapsulationSource, commit: string): readonly TestEntry[] {
  const read = (checksum: string, kind: "commit" | "commitmeta" | "dirtree" | "dirmeta") =>
    readFileSync(join(it.repo, objectPath(checksum, kind)));
  const entry = (checksum: string, kind: "commit" | "commitmeta" | "dirtree" | "dirmeta") =>
    file(`${REPO}/${objectPath(checksum, kind)}`, read(checksum, kind));
  const bytes = read(commit, "commit");
  const entries = new Map<string, TestEntry>([[commit, entry(commit, "commit")]]);
  if (existsSync(join(it.repo, objectPath(commit, "commitmeta")))) {
    entries.set(`${commit}-meta`, entry(commit, "commitmeta"));
  }
  const walk = (tree: string, meta: string) => {
    entries.set(meta, entry(meta, "dirmeta"));
    entries.set(tree, entry(tree, "dirtree"));
    for (const it of parseDirtree(read(tree, "dirtree")).dirs) walk(it.tree, it.meta);
  };
  const { rootTree, rootMeta } = parseCommit(bytes);
  walk(rootTree, rootMeta);
  return [...entries.values()];
}

function contentEntries(
  it: EncapsulationSource,
  objects: readonly ContentObject[],
  style: EncapsulationStyle,
): readonly TestEntry[] {
  const records = new Set<string>();
  return objects.flatMap((object) => {
    const { checksum, mode, uid, gid } = object;
    const record = formatXattrs(object.xattrs);
    const recordSum = sha256(record);
    const path = `${REPO}/${objectPath(checksum, "file")}`;
    const link = `${REPO}/${objectPath(checksum, "file-xattrs-link")}`;
    const shared = `${REPO}/${objectPath(recordSum, "file-xattrs")}`;
    const isNew = !records.has(recordSum);
    records.add(recordSum);
    const attributes =
      style === "newest"
        ? [file(link, record)]
        : [...(isNew ? [file(shared, record)] : []), hardlink(link, shared)];
    const userPath = object.path.replace(/^usr\/etc\//, "etc/");
    if (object.symlinkTarget !== undefined) {
      return [
        ...attributes,
        symlink(path, object.symlinkTarget, { uid, gid }),
        hardlink(userPath, path),
      ];
    }
    const content = readFileSync(join(it.repo, objectPath(checksum, "file")));
    const xattrs = Object.fromEntries(
      (style === "newest" ? object.xattrs : [])
        .filter(({ name }) => name !== "security.selinux")
        .map(({ name, value }) => [name, Buffer.from(value)]),
    );
    const visible = content.length === 0 ? file(userPath, "", { mode }) : hardlink(userPath, path);
    return [...attributes, file(path, content, { mode, uid, gid, xattrs }), visible];
  });
}

/** Every content object of a commit, once, as `ostree ls` shows it. */
export function listContent(it: EncapsulationSource, commit: string): readonly ContentObject[] {
  const objects = new Map<string, ContentObject>();
  for (const line of it.ostree("ls", "-R", "-C", "-X", commit).split("\n")) {
    const parts = /^([-l])(\d+) (\d+) (\d+) +\d+ ([0-9a-f]{64}) \{ (.*) \} \/(.*)$/.exec(line);
    if (parts === null) continue;
    const [, type, mode = "", uid = "", gid = "", checksum = "", xattrs = "", rest = ""] = parts;
    const [path = "", target] = type === "l" ? rest.split(" -> ") : [rest];
    objects.set(checksum, {
      checksum,
      path,
      mode: Number.parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
      symlinkTarget: target,
      xattrs: parseShownXattrs(xattrs),
    });
  }
  return [...objects.values()];
}

/** GVariant text as `ostree ls -X` prints it: `[(b'user.a', [byte 0x31]), (b'user.b', b'text with NUL')]`. */
function parseShownXattrs(text: string): readonly Xattr[] {
  const pairs = text.matchAll(/\(b'([^']*)', (?:b'([^']*)'|\[([^\]]*)\])\)/g);
  return [...pairs].map(([, name = "", string, bytes]) => ({
    name,
    value:
      string === undefined
        ? Buffer.from((bytes ?? "").match(/0x[0-9a-f]{2}/g)?.map(Number) ?? [])
        : Buffer.from(`${string}\0`),
  }));
}
