// A Debian system as the tree of an ostree commit, with an SELinux policy; no package is configured or run.
import { cpSync } from "node:fs";
import { mkdir, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../../src/system/context.ts";
import { wholeSelinuxPolicy } from "../../tests/repo/images/selinux-policy.ts";
import { cached } from "../../tests/vm/cache.ts";
import { ensurePrograms } from "../../xtask/checks/requirements.ts";
import type { Tree } from "../../xtask/task.ts";
import { fileContent } from "./noise.ts";

const SUITE = "trixie";
/** With what these depend on, 600 MB and 13,000 files, most of them the kernel's modules. */
const PACKAGES = [
  ...["base-files", "base-passwd", "bash", "coreutils", "dash", "dpkg", "apt", "findutils", "grep"],
  ...["sed", "tar", "gzip", "util-linux", "mount", "login", "passwd", "procps", "systemd"],
  ...["systemd-sysv", "udev", "dbus", "kmod", "linux-image-amd64", "ostree", "podman", "skopeo"],
  ...["openssh-server", "python3", "perl", "git", "vim", "curl", "e2fsprogs", "xfsprogs"],
  ...["btrfs-progs", "dosfstools", "lvm2", "cryptsetup-bin", "network-manager", "policycoreutils"],
  ...["grub-efi-amd64-bin", "tzdata", "ca-certificates", "iproute2", "less", "jq", "rsync"],
];
const POLICY_PACKAGE = "selinux-policy-default";
export const FILE_CONTEXTS = "usr/etc/selinux/default/contexts/files/file_contexts";
const INITRAMFS_BYTES = 40_000_000;

/** A script for debootstrap that resolves and downloads packages and does nothing else. */
const DOWNLOAD_SCRIPT = `mirror_style release
download_style apt
finddebs_style from-indices
variants -
keyring /usr/share/keyrings/debian-archive-keyring.gpg
work_out_debs () { required="${PACKAGES.join(" ")}"; base=; }
`;

export interface DebianSystem {
  /** The root of the tree. */
  readonly root: string;
  /** The package that each file and link belongs to, by path below `root`. */
  readonly owners: ReadonlyMap<string, string>;
}

/** Makes the tree at `root`, which must not exist. The packages are downloaded once. */
export async function makeDebianSystem(tree: Tree, root: string): Promise<DebianSystem> {
  await ensurePrograms(tree, ["apt-get", "debootstrap", "dpkg-deb", "sefcontext_compile"]);
  const owners = await unpack(tree, await downloadPackages(tree), root);
  for (const [path, owner] of await addKernel(root)) owners.set(path, owner);
  await layOut(root);
  const moved = new Map(
    [...owners].map(([path, owner]) => [path.replace(/^etc\//, "usr/etc/"), owner]),
  );
  for (const path of await addPolicy(tree, root)) moved.set(path, POLICY_PACKAGE);
  return { root, owners: moved };
}

/** A folder of Debian packages. */
async function downloadPackages({ ctx }: Tree): Promise<string> {
  return await cached("bench-packages", [SUITE, DOWNLOAD_SCRIPT], async (folder) => {
    ctx.note("downloading the packages of the benchmarks' system");
    const script = join(folder, "script");
    const target = join(folder, "target");
    await writeFile(script, DOWNLOAD_SCRIPT);
    const usualMirror = "";
    await ctx.run("debootstrap", ["--download-only", SUITE, target, usualMirror, script]);
    const archives = join(target, "var/cache/apt/archives");
    for (const name of await readdir(archives)) {
      if (name.endsWith(".deb")) await rename(join(archives, name), join(folder, name));
    }
    await rm(target, { recursive: true });
  });
}

/** Unpacks all packages; the owner of each path. */
async function unpack({ ctx }: Tree, folder: string, root: string): Promise<Map<string, string>> {
  await mkdir(root);
  const owners = new Map<string, string>();
  const names = (await readdir(folder)).filter((name) => name.endsWith(".deb")).sort();
  // It has the links from /bin and the like into /usr, which have to be there before anything follows them.
  const links = names.filter((name) => name.startsWith("base-files_"));
  for (const name of [...links, ...names.filter((other) => !links.includes(other))]) {
    const listed = await ctx.read("dpkg-deb", ["--vextract", join(folder, name), root]);
    const [owner = name] = name.split("_");
    for (const line of listed.split("\n")) owners.set(line.replace(/^\.\//, ""), owner);
  }
  return owners;
}

/** Puts the kernel where ostree wants it, with an initramfs of the usual size. */
async function addKernel(root: string): Promise<readonly (readonly [string, string])[]> {
  const [version = ""] = await readdir(join(root, "usr/lib/modules"));
  const folder = `usr/lib/modules/${version}`;
  await rename(join(root, `boot/vmlinuz-${version}`), join(root, folder, "vmlinuz"));
  await writeFile(join(root, folder, "initramfs.img"), fileContent(1, INITRAMFS_BYTES));
  return [
    [`${folder}/vmlinuz`, `linux-image-${version}`],
    [`${folder}/initramfs.img`, "initramfs"],
  ];
}

/** The layout of an image: machines keep in /var what is theirs. */
async function layOut(root: string): Promise<void> {
  const replaced = ["boot", "dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv"];
  const unused = [
    "sys",
    "tmp",
    "usr/local",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var",
  ];
  for (const name of [...replaced, ...unused]) {
    await rm(join(root, name), { recursive: true, force: true });
  }
  for (const name of ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var"]) {
    await mkdir(join(root, name));
  }
  for (const name of ["home", "mnt", "opt", "srv"]) await symlink(`var/${name}`, join(root, name));
  await symlink("var/roothome", join(root, "root"));
  await symlink("run/media", join(root, "media"));
  await symlink("../var/usrlocal", join(root, "usr/local"));
  await symlink("sysroot/ostree", join(root, "ostree"));
  await rename(join(root, "etc"), join(root, "usr/etc"));
}

/** Copies the policy into the tree, compiled for the libselinux of this machine; the paths of its files. */
async function addPolicy({ ctx }: Tree, root: string): Promise<readonly string[]> {
  const paths = [`${FILE_CONTEXTS}.bin`];
  const from = join(wholeSelinuxPolicy(), "etc/selinux");
  cpSync(from, join(root, "usr/etc/selinux"), {
    recursive: true,
    filter: (source) => {
      paths.push(join("usr/etc/selinux", source.slice(from.length)));
      return true;
    },
  });
  await compileFileContexts(ctx, root);
  return paths;
}

/** Compiles the rules of the tree, as a policy's package does when it is installed. */
export async function compileFileContexts(ctx: Context, root: string): Promise<void> {
  await ctx.run("sefcontext_compile", [join(root, FILE_CONTEXTS)]);
}
