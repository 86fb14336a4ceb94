// The label that the kernel gives to every new file where SELinux is on, whatever an image says about it.
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../errors.ts";
import type { Libc } from "../../native/libc.ts";
import { keyfileValue, parseKeyfile } from "../../ostree/keyfile.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import { ifAbsent } from "../../system/files.ts";
import type { LabelOf } from "../store/sink.ts";
import { LABEL } from "../store/xattrs.ts";

/**
 * Gives every path the label that new files in the repository get anyway. An object that is stored without
 * a label would have it too, and would no longer match its checksum. Undefined where files get no label, or
 * one that we may not set, and in a repository whose files are not the objects as they are deployed.
 */
export async function labelOfNewFiles(
  repo: string,
  libc: Pick<Libc, "getXattr" | "setXattr"> | undefined,
): Promise<LabelOf | undefined> {
  if (libc === undefined || !(await isBare(repo))) return undefined;
  const work = await makeWorkDirectory(repo);
  try {
    // A file, as objects are: a policy may give a directory in the same place another label.
    const probe = join(work, "probe");
    await writeFile(probe, "");
    const label = libc.getXattr(probe, LABEL);
    if (label === undefined) return undefined;
    // A file system that is mounted with one label for all its files shows it, but stores none.
    libc.setXattr(probe, LABEL, label);
    return () => label;
  } catch (error) {
    if (!NO_LABELS.includes(errnoOf(error) ?? "")) throw error;
    return undefined;
  } finally {
    await rm(work, { recursive: true });
  }
}

/** In other modes, the attributes of objects are in other attributes, or inside the files. */
async function isBare(repo: string): Promise<boolean> {
  const config = await readFile(join(repo, "config"), "utf8").catch(ifAbsent(""));
  return (keyfileValue(parseKeyfile(config), "core", "mode") ?? "bare") === "bare";
}

/** ENOTSUP is what libuv, too, calls EOPNOTSUPP. */
const NO_LABELS = ["ENOTSUP", "EPERM", "EACCES"];
