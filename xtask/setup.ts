// `xtask setup`: installs what a fresh machine lacks for building and testing.
import { ensurePrograms } from "./checks/requirements.ts";
import { defineTask } from "./task.ts";

/** The programs that making the packages needs. */
export const BUILD_PROGRAMS = ["git", "rpmbuild"] as const;

/** The programs that the tests need in addition. Users without root leave those tests to CI. */
export const TEST_PROGRAMS = [
  "rpm",
  "rpmlint",
  "bwrap",
  "tar",
  "zstd",
  "setpriv",
  "strip",
  "eu-strip",
  "debootstrap",
  "python3",
  "createrepo_c",
  "ostree",
  "evmctl",
  "skopeo",
  "docker-registry",
  "promtool",
  "prometheus",
  "prometheus-node-exporter",
  "etcd",
  "ip",
  "jq",
  "qemu-aarch64-static",
  "readelf",
  "strace",
  "llvm-strip",
  "unshare",
  "openssl",
  "zsh",
  "elvish",
  "fish",
  "man",
  "mandoc",
  "chattr",
  "mkfs.ext4",
  "mkfs.fat",
  "sfdisk",
  "losetup",
  "partx",
  "wipefs",
  "sefcontext_compile",
  // For recordings of what is written to a disk.
  "qemu-storage-daemon",
  "grub-fstest",
  "mkfs.xfs",
  "mkfs.btrfs",
  // Booting their states needs `linux.uml`, too, which only Debian has, and which that task installs.
  // For a virtual machine.
  "qemu-system-x86_64",
  "qemu-io",
  "buildah",
  "podman",
  "nbdkit",
  "ssh",
  "swtpm",
  "sbsign",
  "cert-to-efi-sig-list",
] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--tests", "also the programs that the tests need")
      .addHelpText("after", "\nExamples:\n  npm run xtask -- setup --yes --tests"),
  async run(tree, options) {
    const extra = options.tests === true ? TEST_PROGRAMS : [];
    await ensurePrograms(tree, [...BUILD_PROGRAMS, ...extra]);
    tree.ctx.note("everything is installed");
    return undefined;
  },
});
