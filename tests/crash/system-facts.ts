// What is on a mounted disk, as far as a boot depends on it: the boot loader's entries with the content of everything
// that they name.
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readNamesIfAny } from "../../src/system/files.ts";
import { attempt } from "../vm/shell.ts";
import { digestOf } from "./images.ts";

/** The files that the boot loader itself reads. */
export interface LoaderEntry {
  readonly file: string;
  /** The digests of the files, or why they could not be read. */
  readonly kernel: string;
  readonly initramfs: string;
  /** The value of `ostree=`, a link to the deployment. */
  readonly target: string;
}

export interface DeploymentFacts {
  /** `COMMIT.SERIAL`, or why it cannot be found. */
  readonly deployment: string;
  /** Digests of everything but `/etc` and `/var`, of `/etc`, and of the origin. */
  readonly tree: string;
  readonly etc: string;
  readonly origin: string;
}

export type EntryFacts = LoaderEntry & DeploymentFacts;

/** Something that reads the tree that is `/boot`. */
export interface TreeReader {
  list(path: string): Promise<readonly string[]>;
  read(path: string): Promise<Buffer>;
}

/** By the kernel, from a mounted directory. */
function kernelReader(dir: string): TreeReader {
  return {
    list: async (path) => await readdir(join(dir, path)),
    read: async (path) => await readFile(join(dir, path)),
  };
}

/** What an entry says; the paths are those of the reader. */
export interface EntryText {
  readonly file: string;
  readonly version: number;
  readonly kernel: string;
  readonly initramfs: string;
  readonly options: string;
}

/** The entries in a tree that is `/boot` below `prefix`, the default first. */
export async function readEntryTexts(
  reader: TreeReader,
  prefix: string,
): Promise<readonly EntryText[]> {
  const dir = `${prefix}/loader/entries`;
  const entries: EntryText[] = [];
  for (const file of await reader.list(dir)) {
    const text = (await reader.read(`${dir}/${file}`)).toString();
    const value = (key: string) => new RegExp(`^${key}\\s+(.*)$`, "m").exec(text)?.[1] ?? "";
    const path = (key: string) => `${prefix}${value(key).replace(/^\/boot\//, "/")}`;
    entries.push({
      ...{ file, version: Number(value("version")), options: value("options") },
      ...{ kernel: path("linux"), initramfs: path("initrd") },
    });
  }
  return entries.sort((a, b) => b.version - a.version);
}

/** The same entries, with the digests of what they name. */
export async function readLoaderEntries(
  reader: TreeReader,
  prefix: string,
): Promise<readonly LoaderEntry[]> {
  const entries = [];
  for (const { file, kernel, initramfs, options } of await readEntryTexts(reader, prefix)) {
    const content = async (path: string) =>
      await reader.read(path).then(digestOf, (error: Error) => error.message);
    entries.push({
      ...{ file, kernel: await content(kernel), initramfs: await content(initramfs) },
      target: /\bostree=(\S+)/.exec(options)?.[1] ?? "",
    });
  }
  return entries;
}

/** The deployment that an entry boots, on the mounted root. */
export async function readDeployment(sysroot: string, target: string): Promise<DeploymentFacts> {
  const link = join(sysroot, target);
  const to = await readlink(link).catch((error: Error) => error);
  if (to instanceof Error) {
    return { deployment: to.message, tree: "", etc: "", origin: "" };
  }
  const dir = join(dirname(link), to);
  return {
    deployment: basename(dir),
    tree: await digestOfTree(dir, ["--exclude=./etc", "--exclude=./var"]),
    etc: await digestOfTree(join(dir, "etc")),
    origin: await digestOfFile(`${dir}.origin`),
  };
}

export async function readEntries(sysroot: string): Promise<readonly EntryFacts[]> {
  const entries = await readLoaderEntries(kernelReader(sysroot), "/boot");
  return await Promise.all(
    entries.map(async (it) => ({ ...it, ...(await readDeployment(sysroot, it.target)) })),
  );
}

/** The `/etc` of a deployment. */
export interface EtcFacts {
  readonly deployment: string;
  readonly etc: string;
  /** The digest without SELinux labels. */
  readonly unlabelled: string;
}

export async function readEtcs(
  sysroot: string,
  entries: readonly EntryFacts[],
): Promise<readonly EtcFacts[]> {
  return await Promise.all(
    entries.map(async ({ deployment, etc, target }) => ({
      ...{ deployment, etc },
      unlabelled: await digestOfTree(join(sysroot, target, "etc"), [
        "--xattrs-exclude=security.selinux",
      ]),
    })),
  );
}

/** The text of a deployment's origin at some moment. */
export interface OriginFacts {
  readonly deployment: string;
  readonly text: string;
}

/** Those of all deployments. */
export async function readOrigins(sysroot: string): Promise<readonly OriginFacts[]> {
  const dir = join(sysroot, "ostree/deploy/default/deploy");
  const names = (await readdir(dir)).filter((it) => it.endsWith(".origin"));
  return await Promise.all(
    names.map(async (it) => ({
      deployment: basename(it, ".origin"),
      text: await readFile(join(dir, it), "utf8"),
    })),
  );
}

/** The links to deployments, as `ostree=` names them, and why what they name is not a directory. */
export async function readTargets(sysroot: string): Promise<Readonly<Record<string, string>>> {
  const below = async (dir: string) =>
    (await readNamesIfAny(join(sysroot, dir))).map((it) => join(dir, it));
  const boots = (await below("/ostree")).filter((it) => /^boot\.[01]$/.test(basename(it)));
  // A stateroot, the digest of a kernel with its initramfs, and a number.
  let links: readonly string[] = boots;
  for (let i = 0; i < 3; i++) links = (await Promise.all(links.map(below))).flat();
  return Object.fromEntries(
    await Promise.all(
      links.map(async (it) => [
        it,
        await stat(join(sysroot, it)).then(
          (found) => (found.isDirectory() ? "" : "it is not a directory"),
          (error: Error) => error.message,
        ),
      ]),
    ),
  );
}

async function digestOfFile(path: string): Promise<string> {
  return await readFile(path).then(digestOf, (error: Error) => error.message);
}

/**
 * `tar` as words of a shell: names, types, modes, owners, attributes, links among each other and contents, without
 * times, which no verb depends on.
 */
export const TREE_TAR =
  "tar --create --sort=name --mtime=@0 --numeric-owner --xattrs --xattrs-include='*'" +
  " --pax-option=exthdr.name=%d/%f,delete=atime,delete=ctime";

async function digestOfTree(dir: string, options: readonly string[] = []): Promise<string> {
  const { stdout } = await attempt("sh", [
    "-c",
    `{ ${TREE_TAR} ${options.join(" ")} --directory "$1" . 2>&1 || echo failed; } | b2sum --length=128`,
    "sh",
    dir,
  ]);
  return stdout.split(" ", 1)[0] ?? "";
}
