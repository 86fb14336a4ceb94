// Checks of the kernel arguments that an image brings, and of its root's configuration.

import { collectKargs, type KargsFile } from "../../host/image-kargs.ts";
import { parseKargs } from "../../host/kargs.ts";
import { parsePrepareRoot } from "../../sysroot/prepare-root.ts";
import { type Check, type Finding, listing } from "../check.ts";
import { absolute, quotePath } from "../formats/quote.ts";
import type { ImageTree } from "../tree.ts";
import { REFERENCE } from "./root.ts";

const DIR = "usr/lib/bootc/kargs.d";

/** The kargs.d files of a tree. */
export function kargsFilesOf(tree: ImageTree): readonly KargsFile[] {
  return tree.names(DIR).flatMap((name) => {
    const text = name.endsWith(".toml") ? tree.readText(`${DIR}/${name}`) : undefined;
    return text === undefined ? [] : [{ name, text }];
  });
}

export const bootcKargs: Check = {
  name: "bootc-kargs",
  severity: "fatal",
  description: "the files in kargs.d are valid",
  reason:
    "bootc refuses to install an image whose kernel arguments it cannot read, and to update to it.",
  fix: "The error names the file, the line and the column.",
  look: ({ tree, arch }) => {
    collectKargs(kargsFilesOf(tree), arch);
    return [];
  },
};

/** Of several, the kernel or systemd takes the last; more than one is a mistake. */
const ONCE = new Set(
  (
    "apparmor audit crashkernel default_hugepagesz enforcing fips init iommu intel_iommu " +
    "amd_iommu lockdown loglevel lsm mitigations panic preempt rd.shell root rootflags " +
    "rootfstype security selinux systemd.unit systemd.unified_cgroup_hierarchy"
  ).split(" "),
);

/** bootc and ostree write these themselves. */
const OURS = new Set(["root", "rootflags", "ostree", "boot", "composefs"]);

export const contradictingKargs: Check = {
  name: "contradicting-kargs",
  severity: "warning",
  description: "kernel arguments do not contradict each other",
  reason:
    "Of two values the last one counts, by the order of file names that nobody thinks of. " +
    "`ostree=` and `root=` belong to the deployment and the disk; an image that sets them boots " +
    "nowhere else.",
  fix: "Leave one of them.",
  look: ({ tree, arch }) => {
    const all = collectKargs(kargsFilesOf(tree), arch).flatMap(parseKargs);
    const values = new Map<string, readonly string[]>();
    for (const karg of all) {
      const [key = ""] = karg.split("=");
      values.set(key, [...(values.get(key) ?? []), karg]);
    }
    const found = [...values].filter(([key, kargs]) => kargs.length > 1 && ONCE.has(key));
    const both = values.has("ro") && values.has("rw") ? [["ro", "rw"]] : [];
    const item = (kargs: readonly string[]) => ({
      shown: kargs.map(quotePath).join(" "),
      path: DIR,
    });
    return [
      ...listing(
        "Found kernel arguments that contradict each other",
        [...found.map(([, kargs]) => kargs), ...both].map(item),
      ),
      ...listing(
        "Found kernel arguments that bootc sets itself",
        all.filter((it) => OURS.has(it.split("=")[0] ?? "")).map((it) => item([it])),
      ),
    ];
  },
};

export const ignoredKargs: Check = {
  name: "ignored-kargs",
  severity: "warning",
  description: "no kernel arguments are where nothing reads them",
  reason:
    "Only files `*.toml` in `/usr/lib/bootc/kargs.d` are read. `/etc/bootc/kargs.d`, which older " +
    "pages name, is not, and neither is a file with another ending.",
  fix: "Move the file, or give it the ending `.toml`.",
  look: ({ tree }) => {
    const elsewhere = tree.names("etc/bootc/kargs.d").map((it) => `etc/bootc/kargs.d/${it}`);
    const misnamed = tree.names(DIR).filter((it) => !it.endsWith(".toml"));
    const paths = [...elsewhere, ...misnamed.map((it) => `${DIR}/${it}`)];
    return listing(
      "Found files of kernel arguments that nothing reads",
      paths.map((path) => ({ shown: absolute(path), path })),
    );
  },
};

const CONF = "usr/lib/ostree/prepare-root.conf";

export const baseimageComposefs: Check = {
  name: "baseimage-composefs",
  severity: "warning",
  description: "composefs is enabled in prepare-root.conf",
  reason:
    "With composefs the root is one sealed, read-only file system; without it, root can change " +
    "files of a deployment by accident, and directories other than /usr are not protected.",
  fix: `Write \`[composefs]\` and \`enabled = yes\` to \`/${CONF}\`, and make the initramfs anew.`,
  look: ({ tree }) => [
    ...lookAtComposefs(tree, ""),
    ...(tree.follow(REFERENCE)?.kind === "directory" ? lookAtComposefs(tree, `${REFERENCE}/`) : []),
  ],
};

function lookAtComposefs(tree: ImageTree, prefix: string): readonly Finding[] {
  const text =
    tree.readText(`${prefix}etc/ostree/prepare-root.conf`) ?? tree.readText(`${prefix}${CONF}`);
  const path = `${prefix}${CONF}`;
  if (text === undefined) return [{ message: `${CONF} is not present to enable composefs`, path }];
  if (parsePrepareRoot(text).composefs !== "off") return [];
  return [{ message: `${CONF} does not have composefs enabled`, path }];
}
