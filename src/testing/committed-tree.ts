// A commit as the files of a repository: texts and links as they are, kernels that say any size.
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { formatDirtree, type TreeDir, type TreeFile } from "../ostree/dirtree.ts";
import { FILE_TYPES, formatCommit, objectPath, sha256 } from "../ostree/objects.ts";

/** A text, a link, a text as archive repositories have it, or the header alone of such an object. */
export type TreeContent =
  | string
  | { readonly link: string }
  | { readonly archived: string }
  | { readonly sizeBytes: number; readonly checksum: string };

/** Writes a commit of the files at `paths` into `repo`; the checksum is given, or that of the commit. */
export async function writeCommit(
  repo: string,
  paths: Readonly<Record<string, TreeContent>>,
  name?: string,
): Promise<string> {
  const bytes = formatCommit({
    metadata: [],
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch: 0,
    rootTree: await writeTree(repo, Object.entries(paths)),
    rootMeta: META,
  });
  const checksum = name ?? sha256(bytes);
  await put(join(repo, objectPath(checksum, "commit")), bytes);
  return checksum;
}

const META = "0".repeat(64);

type Entries = readonly (readonly [path: string, content: TreeContent])[];

async function writeTree(repo: string, entries: Entries): Promise<string> {
  const files: TreeFile[] = [];
  const below = new Map<string, [string, TreeContent][]>();
  for (const [path, content] of entries) {
    const [name = "", ...rest] = path.split("/");
    if (rest.length === 0) files.push({ name, checksum: await writeObject(repo, content) });
    else below.set(name, [...(below.get(name) ?? []), [rest.join("/"), content]]);
  }
  const dirs: TreeDir[] = [];
  for (const [name, inside] of below) {
    dirs.push({ name, tree: await writeTree(repo, inside), meta: META });
  }
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  const bytes = formatDirtree({ files: files.sort(byName), dirs: dirs.sort(byName) });
  const checksum = sha256(bytes);
  await put(join(repo, objectPath(checksum, "dirtree")), bytes);
  return checksum;
}

async function writeObject(repo: string, content: TreeContent): Promise<string> {
  if (typeof content !== "string" && "sizeBytes" in content) {
    await put(join(repo, objectPath(content.checksum, "filez")), archiveHeader(content.sizeBytes));
    return content.checksum;
  }
  const checksum = sha256(Buffer.from(JSON.stringify(content)));
  const path = join(repo, objectPath(checksum, "file"));
  if (typeof content === "string") await put(path, Buffer.from(content));
  else if ("link" in content) await link(path, content.link);
  else await put(`${path}z`, archive(content.archived));
  return checksum;
}

function archive(text: string): Buffer {
  const content = Buffer.from(text);
  return Buffer.concat([archiveHeader(content.length), deflateRawSync(content)]);
}

/** Its length, four zeros, and `(tuuuusa(ayay))` up to the target of the link, which is empty. */
function archiveHeader(sizeBytes: number): Buffer {
  const header = Buffer.alloc(8 + 30);
  header.writeUInt32BE(30);
  header.writeBigUInt64BE(BigInt(sizeBytes), 8);
  header.writeUInt32BE(FILE_TYPES.regular | 0o644, 8 + 16);
  return header;
}

async function link(path: string, target: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}
