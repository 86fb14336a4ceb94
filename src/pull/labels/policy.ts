// The SELinux policy in a tree: which one its configuration enables, and the files that labels come from.
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { sha256 } from "../../ostree/objects.ts";
import { readFileContent, readFileSize } from "../../repository/files.ts";
import type { CommittedTree } from "../../repository/tree.ts";
import { resolveInTree } from "../../system/root/in-root.ts";
import { parsePolicyType } from "../../system/selinux-policy.ts";
import { CONTEXTS, CONTEXTS_BYTES_MAX } from "./contexts.ts";
import type { ContextFiles } from "./rules.ts";

export interface ImagePolicy {
  /** As `SELINUXTYPE` names it. */
  readonly name: string;
  /** The names of its binary forms, `policy.33`. */
  readonly binaries: readonly string[];
  /** Names all of its files' contents: policies with the same key label alike. */
  readonly key: string;
  /** The contents of `contexts/files`, as far as they decide about labels. */
  readFiles(): Promise<ContextFiles>;
}

export interface PolicySource {
  readonly repo: string;
  readonly tree: CommittedTree;
}

/**
 * The policy by which `ostree commit --selinux-policy` would label the tree; undefined when there is none,
 * when SELinux is off, or when the policy has no file contexts. Links are followed only inside the tree.
 * A policy without its binary form is an error, as it is for ostree.
 */
export async function readPolicy({ repo, tree }: PolicySource): Promise<ImagePolicy | undefined> {
  const isInEtc = (await tree.find("etc/selinux")) !== undefined;
  const folder = isInEtc ? "etc/selinux" : "usr/etc/selinux";
  const config = await tree.readTextIfAny(`${folder}/config`);
  const name = config === undefined ? undefined : parsePolicyType(config);
  if (name === undefined) return undefined;
  requireFolderName(name);
  const files = await findFiles({ repo, tree }, join(folder, name, "contexts/files"));
  if (!files.has("file_contexts") && !files.has("file_contexts.bin")) return undefined;
  const place = join(folder, name, "policy");
  const binaries = (await tree.readNames(place)).filter((it) => /^policy\.\d+$/.test(it));
  if (binaries.length === 0) {
    throw new BootcError(`the image's SELinux policy is incomplete: /${place} has no policy`, {
      hint: "build the image with the whole policy, or with `SELINUX=disabled` in its configuration",
    });
  }
  return { name, binaries, ...(await openFiles(repo, files)) };
}

/** ostree takes a path as well, and a path could lead to the policy of this machine. */
function requireFolderName(name: string): void {
  if (!name.includes("/") && name !== "." && name !== "..") return;
  throw new BootcError(`the image's SELinux policy has a path for a name: \`${name}\``, {
    kind: "integrity",
    hint: "give `SELINUXTYPE` in the image's `etc/selinux/config` the name of a directory beside it",
  });
}

/** Checksums of the policy's files, by name. */
type FileObjects = ReadonlyMap<string, string>;

async function findFiles(source: PolicySource, folder: string): Promise<FileObjects> {
  const files = new Map<string, string>();
  for (const name of CONTEXTS) {
    const checksum = await findFile(source, join(folder, name));
    if (checksum !== undefined) files.set(name, checksum);
  }
  return files;
}

async function findFile({ repo, tree }: PolicySource, path: string): Promise<string | undefined> {
  const entry = await tree.find(await resolveInTree(path, tree.readLink));
  if (entry?.kind !== "file") return undefined;
  const sizeBytes = await readFileSize(repo, entry.checksum);
  if (sizeBytes === undefined) return undefined;
  if (sizeBytes > CONTEXTS_BYTES_MAX) {
    throw new BootcError(
      `\`/${path}\` of the image has ${sizeBytes} bytes, too many for a policy`,
      {
        kind: "integrity",
      },
    );
  }
  return entry.checksum;
}

/** Digests of contents by the checksums of their objects: an image mostly has the policy of its base. */
const digests = new Map<string, string>();

/** Contents, of which compiled ones take megabytes, are in memory until they are first asked for. */
async function openFiles(
  repo: string,
  files: FileObjects,
): Promise<Pick<ImagePolicy, "key" | "readFiles">> {
  const held = new Map<string, Uint8Array>();
  const names: string[] = [];
  for (const [name, checksum] of files) {
    if (!digests.has(checksum)) {
      const content = await readFileContent(repo, checksum);
      held.set(name, content);
      digests.set(checksum, sha256(content));
    }
    names.push(`${name} ${digests.get(checksum)}\n`);
  }
  return {
    key: sha256(Buffer.from(names.join(""))),
    async readFiles() {
      const contents = new Map<string, Uint8Array>();
      for (const [name, checksum] of files) {
        contents.set(name, held.get(name) ?? (await readFileContent(repo, checksum)));
      }
      held.clear();
      return contents;
    },
  };
}
