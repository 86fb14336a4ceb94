// Labels by the policy of the system in a directory, such as a deployment, without trust in that policy.
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { type FileLabels, openFileLabels } from "../../native/selabel.ts";
import { exists, ifMissing } from "../../system/files.ts";
import { openDirectory } from "../../system/root/file-tree.ts";
import { resolveInRoot } from "../../system/root/in-root.ts";
import { parsePolicyType } from "../../system/selinux-policy.ts";
import {
  CONTEXTS,
  CONTEXTS_BYTES_MAX,
  type ContextsFile,
  usableContexts,
  writeContexts,
} from "./contexts.ts";

/**
 * The labels of the policy that `ostree commit --selinux-policy=ROOT` would use. Undefined when there is
 * none, when SELinux is off, or when the policy has no file contexts. Links are followed only inside `root`.
 *
 * No program is asked where libselinux cannot be called: bootc is not built for such systems, and where the
 * library is missing, ostree cannot label either.
 */
export async function openLabelsOf(root: string): Promise<FileLabels | undefined> {
  const files = await readContexts(root);
  if (files === undefined) return undefined;
  const work = await mkdtemp(join(tmpdir(), "bootc-labels-"));
  try {
    writeContexts(work, usableContexts(files));
    const labels = openFileLabels(work);
    if (labels !== undefined) return labels;
  } finally {
    // libselinux has read it all.
    await rm(work, { recursive: true, force: true });
  }
  throw new BootcError("libselinux, which finds the labels of files, cannot be called", {
    kind: "unsupported",
    hint: "install libselinux, or use --disable-selinux where the command has it",
  });
}

async function readContexts(root: string): Promise<readonly ContextsFile[] | undefined> {
  const isInEtc = await exists(await resolveInRoot(root, "etc/selinux"));
  const selinux = isInEtc ? "etc/selinux" : "usr/etc/selinux";
  const config = await openDirectory(root).readTextIfAny(`${selinux}/config`);
  const type = config === undefined ? undefined : parsePolicyType(config);
  if (type === undefined) return undefined;
  const files: ContextsFile[] = [];
  for (const name of CONTEXTS) {
    const file = await readContextsFile(root, join(selinux, type, "contexts/files"), name);
    if (file !== undefined) files.push(file);
  }
  const isPolicy = files.some(({ name }) => /^file_contexts(\.bin)?$/.test(name));
  return isPolicy ? files : undefined;
}

async function readContextsFile(
  root: string,
  folder: string,
  name: string,
): Promise<ContextsFile | undefined> {
  const path = await resolveInRoot(root, join(folder, name));
  const found = await stat(path).catch(ifMissing(undefined));
  if (found?.isFile() !== true) return undefined;
  if (found.size > CONTEXTS_BYTES_MAX) {
    throw new BootcError(`\`${path}\` has ${found.size} bytes, too many for a policy`, {
      kind: "integrity",
    });
  }
  return { name, content: await readFile(path), modifiedAt: found.mtime };
}
