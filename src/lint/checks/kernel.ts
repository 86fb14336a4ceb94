// Checks of the kernel, its initramfs and its modules.
import { type Check, type Finding, type Item, listing, type Outcome } from "../check.ts";
import { readInitramfsNames } from "../formats/initramfs.ts";
import { absolute, quotePath } from "../formats/quote.ts";
import { unpack } from "../formats/unpack.ts";
import { findKernel, kernelVersions, MODULES_DIR } from "../kernel.ts";
import type { ImageTree } from "../tree.ts";

export const kernel: Check = {
  name: "kernel",
  severity: "fatal",
  description: "there is at most one kernel",
  reason: "bootc boots the kernel of the image, and refuses to choose one of several.",
  fix: "Remove the other kernels: with `dnf remove`, or the directory below `/usr/lib/modules`.",
  look: ({ tree }) => {
    findKernel(tree);
    return [];
  },
};

export const nonemptyBoot: Check = {
  name: "nonempty-boot",
  severity: "warning",
  description: "/boot is empty",
  reason:
    "Installation and updates write /boot themselves, from the kernel in `/usr/lib/modules`. " +
    "What the image has in /boot is lost, or in the way.",
  fix:
    "Move the kernel to `/usr/lib/modules/VERSION/vmlinuz` and the initramfs to `initramfs.img` " +
    "beside it, and remove everything else: `RUN rm -rf /boot/*`.",
  look: ({ tree }) => {
    if (tree.at("boot")?.kind !== "directory") return [{ message: "Missing /boot directory" }];
    const names = tree.names("boot").filter((it) => it !== "EFI");
    return listing(
      "Found non-empty /boot",
      names.map((it) => ({ shown: quotePath(it), path: `boot/${it}` })),
    );
  },
};

export const missingKernel: Check = {
  name: "missing-kernel",
  severity: "warning",
  description: "there is a kernel where bootc looks for it",
  reason:
    "An image without a kernel in `/usr/lib/modules/VERSION/vmlinuz`, or a unified kernel image " +
    "in `/boot/EFI/Linux`, can be pulled but does not boot.",
  fix:
    "`RUN mv /boot/vmlinuz-$V /usr/lib/modules/$V/vmlinuz`. Images that are only a base may skip " +
    "the check.",
  look: ({ tree }): readonly Finding[] => {
    if (kernelVersions(tree).length > 0 || findKernel(tree) !== undefined) return [];
    return [{ message: "Found no kernel in /usr/lib/modules", path: MODULES_DIR }];
  },
};

export const missingInitramfs: Check = {
  name: "missing-initramfs",
  severity: "warning",
  description: "every kernel has its initramfs beside it",
  reason:
    "Without an initramfs nothing finds the deployment below /ostree, and the machine does not " +
    "boot.",
  fix:
    "`RUN dracut --no-hostonly --kver $V /usr/lib/modules/$V/initramfs.img`, or move it there " +
    "from /boot.",
  look: ({ tree }) =>
    listing(
      "Found kernels without initramfs.img",
      kernelVersions(tree)
        .map((it) => `${MODULES_DIR}/${it}`)
        .filter((it) => tree.follow(`${it}/initramfs.img`)?.kind !== "file")
        .map((it) => ({ shown: absolute(it), path: it })),
    ),
};

export const initramfsWithoutOstree: Check = {
  name: "initramfs-without-ostree",
  severity: "warning",
  description: "the initramfs can mount a deployment",
  reason:
    "`ostree-prepare-root` (or `bootc-root-setup` for composefs) makes the deployment the root. " +
    "An initramfs without it boots into an emergency shell.",
  fix:
    "`RUN dracut --add ostree …`, or add ostree's hook of initramfs-tools or mkinitcpio, and " +
    "make it anew.",
  look: ({ tree }): Outcome => {
    const items: Item[] = [];
    for (const version of kernelVersions(tree)) {
      const path = `${MODULES_DIR}/${version}/initramfs.img`;
      const image = tree.readBytes(path);
      if (image === undefined) continue;
      const read = readInitramfsNames(image);
      if ("unreadable" in read) return { skipped: `${absolute(path)}: ${read.unreadable}` };
      const isReady = [...read.names].some((it) =>
        /(^|\/)(ostree-prepare-root|bootc-root-setup)/.test(it),
      );
      if (!isReady) items.push({ shown: absolute(path), path });
    }
    return listing("Found an initramfs without ostree-prepare-root", items);
  },
};

export const kernelModules: Check = {
  name: "kernel-modules",
  severity: "warning",
  description: "kernel modules are those of the kernel of the image",
  reason:
    "Modules of another kernel are never loaded and take hundreds of megabytes; one that was " +
    "built for another version in the kernel's own directory is refused when it is loaded. " +
    "Without `modules.dep` modprobe finds none.",
  fix:
    "Remove the directory of the other kernel; build the module for the image's; `RUN depmod " +
    "$V`.",
  look: ({ tree }) => {
    const versions = kernelVersions(tree);
    if (versions.length === 0) return [];
    const others = tree
      .names(MODULES_DIR)
      .filter(
        (it) => !versions.includes(it) && tree.at(`${MODULES_DIR}/${it}`)?.kind === "directory",
      );
    const withoutIndex = versions.filter((it) => hasModules(tree, it) && !isIndexed(tree, it));
    const item = (it: string) => ({
      shown: absolute(`${MODULES_DIR}/${it}`),
      path: `${MODULES_DIR}/${it}`,
    });
    return [
      ...listing("Found modules of kernels that the image does not have", others.map(item)),
      ...listing("Found modules without modules.dep", withoutIndex.map(item)),
      ...listing(
        "Found modules built for another kernel",
        versions.flatMap((it) => misfits(tree, it)),
      ),
    ];
  },
};

function hasModules(tree: ImageTree, version: string): boolean {
  return tree.names(`${MODULES_DIR}/${version}`).some((it) => it === "kernel" || it === "extra");
}

function isIndexed(tree: ImageTree, version: string): boolean {
  return tree.follow(`${MODULES_DIR}/${version}/modules.dep`)?.kind === "file";
}

/** Modules from elsewhere: the kernel's own, thousands of them, come from its package. */
const FOREIGN = ["extra", "updates", "misc"];

function misfits(tree: ImageTree, version: string): readonly Item[] {
  const found = FOREIGN.flatMap((it) => tree.below(`${MODULES_DIR}/${version}/${it}`));
  return found.flatMap(({ path, kind }) => {
    const builtFor = kind === "file" ? readVermagic(tree, path) : undefined;
    if (builtFor === undefined || builtFor === version) return [];
    return [{ shown: `${absolute(path)} (for ${quotePath(builtFor)})`, path }];
  });
}

/** The kernel version that a module says it was built for; undefined when nothing says so. */
function readVermagic(tree: ImageTree, path: string): string | undefined {
  const [, ending] = /\.ko(?:\.(gz|zst))?$/.exec(path) ?? ["", "none"];
  const bytes = ending === "none" ? undefined : tree.readBytes(path);
  if (bytes === undefined) return undefined;
  const plain = ending === undefined ? bytes : unpack(bytes, ending === "gz" ? "gzip" : "zstd");
  return /(?:^|\0)vermagic=([^ \0]+)/.exec(plain?.toString("latin1") ?? "")?.[1];
}
