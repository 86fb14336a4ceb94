// `xtask setup`: everything a fresh machine lacks for building and testing, in one go.
import { ensurePrograms } from "./checks/requirements.ts";
import { defineTask } from "./task.ts";

/** What making the packages needs. */
export const BUILD_PROGRAMS = ["git", "rpmbuild"] as const;

/** What the tests need besides; without root, users leave this to CI. */
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
  "createrepo_c",
  "ostree",
  "skopeo",
  "docker-registry",
  "qemu-aarch64-static",
  "readelf",
  "strace",
  "llvm-strip",
  "unshare",
  "openssl",
  "zsh",
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
  // A virtual machine to boot.
  "qemu-system-x86_64",
  "qemu-io",
  "buildah",
  "nbdkit",
  "ssh",
] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--tests", "also what the tests need")
      .addHelpText("after", "\nExamples:\n  npm run xtask -- setup --yes --tests"),
  async run(tree, options) {
    const extra = options.tests === true ? TEST_PROGRAMS : [];
    await ensurePrograms(tree, [...BUILD_PROGRAMS, ...extra]);
    tree.ctx.note("everything is there");
    return undefined;
  },
});
