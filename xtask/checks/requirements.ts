// The system programs that our tasks start, their packages, and how a distribution installs those.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import type { Context } from "../../src/system/context.ts";
import { readFileIfAny } from "../../src/system/files.ts";
import type { Tree } from "../task.ts";

/** Package names by family of distributions. */
interface Packages {
  readonly debian: string;
  /** Undefined if Fedora has no such package. */
  readonly fedora: string | undefined;
}

const PACKAGES: Readonly<Record<string, Packages>> = {
  git: { debian: "git", fedora: "git-core" },
  tar: { debian: "tar", fedora: "tar" },
  zstd: { debian: "zstd", fedora: "zstd" },
  rpm: { debian: "rpm", fedora: "rpm" },
  rpmbuild: { debian: "rpm", fedora: "rpm-build" },
  rpm2archive: { debian: "rpm", fedora: "rpm" },
  rpmlint: { debian: "rpmlint", fedora: "rpmlint" },
  bwrap: { debian: "bubblewrap", fedora: "bubblewrap" },
  setpriv: { debian: "util-linux", fedora: "util-linux" },
  unshare: { debian: "util-linux", fedora: "util-linux" },
  bash: { debian: "bash", fedora: "bash" },
  time: { debian: "time", fedora: "time" },
  strip: { debian: "binutils", fedora: "binutils" },
  "apt-get": { debian: "apt", fedora: "apt" },
  "dpkg-deb": { debian: "dpkg", fedora: "dpkg" },
  strace: { debian: "strace", fedora: "strace" },
  "llvm-strip": { debian: "llvm", fedora: "llvm" },
  readelf: { debian: "binutils", fedora: "binutils" },
  "eu-strip": { debian: "elfutils", fedora: "elfutils" },
  debootstrap: { debian: "debootstrap", fedora: "debootstrap" },
  python3: { debian: "python3", fedora: "python3" },
  createrepo_c: { debian: "createrepo-c", fedora: "createrepo_c" },
  evmctl: { debian: "ima-evm-utils", fedora: "ima-evm-utils" },
  ostree: { debian: "ostree", fedora: "ostree" },
  skopeo: { debian: "skopeo", fedora: "skopeo" },
  podman: { debian: "podman", fedora: "podman" },
  buildah: { debian: "buildah", fedora: "buildah" },
  "docker-registry": { debian: "docker-registry", fedora: "docker-distribution" },
  "qemu-aarch64-static": { debian: "qemu-user-static", fedora: "qemu-user-static-aarch64" },
  "qemu-system-x86_64": { debian: "qemu-system-x86", fedora: "qemu-system-x86-core" },
  swtpm: { debian: "swtpm", fedora: "swtpm" },
  sbsign: { debian: "sbsigntool", fedora: "sbsigntools" },
  "cert-to-efi-sig-list": { debian: "efitools", fedora: "efitools" },
  "qemu-io": { debian: "qemu-utils", fedora: "qemu-img" },
  "linux.uml": { debian: "user-mode-linux", fedora: undefined },
  "mkfs.ext4": { debian: "e2fsprogs", fedora: "e2fsprogs" },
  "qemu-storage-daemon": { debian: "qemu-system-common", fedora: "qemu-img" },
  "grub-fstest": { debian: "grub-common", fedora: "grub2-tools-extra" },
  "mkfs.xfs": { debian: "xfsprogs", fedora: "xfsprogs" },
  "mkfs.btrfs": { debian: "btrfs-progs", fedora: "btrfs-progs" },
  "mkfs.fat": { debian: "dosfstools", fedora: "dosfstools" },
  chattr: { debian: "e2fsprogs", fedora: "e2fsprogs" },
  sfdisk: { debian: "fdisk", fedora: "util-linux" },
  losetup: { debian: "mount", fedora: "util-linux" },
  partx: { debian: "util-linux", fedora: "util-linux" },
  wipefs: { debian: "util-linux", fedora: "util-linux" },
  nbdkit: { debian: "nbdkit", fedora: "nbdkit" },
  ssh: { debian: "openssh-client", fedora: "openssh-clients" },
  "ssh-keygen": { debian: "openssh-client", fedora: "openssh" },
  openssl: { debian: "openssl", fedora: "openssl" },
  zsh: { debian: "zsh", fedora: "zsh" },
  elvish: { debian: "elvish", fedora: "elvish" },
  fish: { debian: "fish", fedora: "fish" },
  man: { debian: "man-db", fedora: "man-db" },
  mandoc: { debian: "mandoc", fedora: "mandoc" },
  sefcontext_compile: { debian: "selinux-utils", fedora: "libselinux-utils" },
  ip: { debian: "iproute2", fedora: "iproute" },
  jq: { debian: "jq", fedora: "jq" },
  promtool: { debian: "prometheus", fedora: "golang-github-prometheus" },
  prometheus: { debian: "prometheus", fedora: "golang-github-prometheus" },
  "prometheus-node-exporter": { debian: "prometheus-node-exporter", fedora: "node-exporter" },
  etcd: { debian: "etcd-server", fedora: "etcd" },
  "mkfs.erofs": { debian: "erofs-utils", fedora: "erofs-utils" },
};

/** How a family of distributions installs a package. */
interface Installer {
  readonly family: keyof Packages;
  readonly program: string;
  readonly args: readonly string[];
}

const INSTALLERS: readonly Installer[] = [
  { family: "debian", program: "apt-get", args: ["install", "--yes", "--no-install-recommends"] },
  { family: "fedora", program: "dnf", args: ["install", "-y"] },
];

/** Makes sure that the programs exist. The error names the command that installs the missing ones. */
export async function ensurePrograms(tree: Tree, names: readonly string[]): Promise<void> {
  const missing = names.filter((it) => !isOnPath(tree.ctx.env, it));
  if (missing.length === 0) return;
  const installer = decideInstaller(await readOsRelease(tree.ctx));
  if (installer === undefined || !tree.mayInstall) throw missingError(missing, installer);
  await installPrograms(tree, missing, installer);
}

/** The command that installs those of `names` whose package is known, as words; undefined if none is. */
export function installCommand(
  names: readonly string[],
  installer: Installer,
): readonly string[] | undefined {
  const packages = names.flatMap((it) => packageOf(it, installer) ?? []);
  if (packages.length === 0) return undefined;
  return [installer.program, ...installer.args, ...new Set(packages)];
}

function packageOf(name: string, installer: Installer | undefined): string | undefined {
  return installer && PACKAGES[name]?.[installer.family];
}

/** The installer for the system an os-release file describes: by ID, else by ID_LIKE. */
export function decideInstaller(osRelease: string): Installer | undefined {
  const ids = ["ID", "ID_LIKE"].flatMap((key) => {
    const value = new RegExp(`^${key}=(.*)$`, "m").exec(osRelease)?.[1] ?? "";
    return value.replace(/^["']|["']$/g, "").split(" ");
  });
  const family = ids
    .map((id) => {
      if (["debian", "ubuntu"].includes(id)) return "debian";
      return ["fedora", "rhel", "centos"].includes(id) ? "fedora" : undefined;
    })
    .find((it) => it !== undefined);
  return INSTALLERS.find((it) => it.family === family);
}

function missingError(missing: readonly string[], installer: Installer | undefined): BootcError {
  const quoted = (names: readonly string[]) => names.map((it) => `\`${it}\``).join(", ");
  const verb = missing.length === 1 ? "is" : "are";
  const command = installer && installCommand(missing, installer);
  const others = missing.filter((it) => packageOf(it, installer) === undefined);
  const hints = [
    ...(command ? [`run \`${command.join(" ")}\` as root, or run this again with --yes`] : []),
    ...(others.length > 0 ? [`install what provides ${quoted(others)} on this system`] : []),
  ];
  return new BootcError(`${quoted(missing)} ${verb} not installed`, {
    hint: hints.join("; also "),
  });
}

async function installPrograms(
  { ctx }: Tree,
  missing: readonly string[],
  installer: Installer,
): Promise<void> {
  const [program, ...args] = installCommand(missing, installer) ?? [];
  if (program === undefined) throw missingError(missing, installer);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await doing(`installing ${missing.map((it) => `\`${it}\``).join(", ")}`, async () => {
    // A fresh Debian container has no package lists.
    if (program === "apt-get") await ctx.run("apt-get", ["update", "--quiet"], { env });
    await ctx.run(program, args, { env });
  });
  const still = missing.filter((it) => !isOnPath(ctx.env, it));
  if (still.length > 0) throw missingError(still, installer);
}

/** Whether PATH has a program of that name. */
export function isOnPath(env: Context["env"], name: string): boolean {
  return (env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Without such a file, only the hint's command is missing. */
async function readOsRelease(ctx: Context): Promise<string> {
  for (const path of ["etc/os-release", "usr/lib/os-release"]) {
    const text = await readFileIfAny(join(ctx.root, path));
    if (text !== undefined) return text;
  }
  return "";
}
