// Checks of /etc: what does not belong into the configuration of an image.
import { type Check, type Finding, listing, using } from "../check.ts";
import { absolute } from "../formats/quote.ts";
import type { Entry, ImageTree } from "../tree.ts";

export const etcUsretc: Check = {
  name: "etc-usretc",
  severity: "fatal",
  description: "there is no /usr/etc beside /etc",
  reason:
    "bootc itself moves /etc to /usr/etc in a deployment; an image that has both is ambiguous.",
  fix: "Move the files of /usr/etc to /etc.",
  look: ({ tree }) =>
    tree.at("etc") === undefined || tree.at("usr/etc") === undefined
      ? []
      : [
          {
            message:
              "Found /usr/etc - this is a bootc implementation detail and not supported to use " +
              "in containers",
            path: "usr/etc",
          },
        ],
};

export const buildahInjected: Check = {
  name: "buildah-injected",
  severity: "warning",
  rootKind: "alternative",
  description: "/etc/hostname and /etc/resolv.conf are not empty files",
  reason:
    "Container runtimes leave these files behind when they mount their own ones over them. An " +
    "empty hostname or resolver configuration then overrides what the host would do.",
  fix:
    "`RUN rm -f /etc/hostname` does not help while it is mounted; copy the files of the image to " +
    "a new stage without them. `--fix` removes them.",
  look: ({ tree }) =>
    ["etc/hostname", "etc/resolv.conf"].flatMap((path): readonly Finding[] => {
      const entry = tree.at(path);
      if (entry?.kind !== "file" || entry.sizeBytes > 0) return [];
      const message = `/${path} is an empty file; this may have been synthesized by a container runtime.`;
      return [{ message, path, repair: { kind: "remove" } }];
    }),
};

/** Made or changed by scripts of packages and by systemd on every system. */
const GENERATED = [
  /^etc\/(passwd|group|shadow|gshadow|subuid|subgid|shells|machine-id|mtab|hostname|hosts)-?$/,
  /^etc\/(resolv\.conf|localtime|timezone|adjtime|ld\.so\.cache|os-release|fstab|environment)$/,
  /^etc\/(\.pwd\.lock|\.updated|motd|locale\.(gen|conf)|vconsole\.conf|udev\/hwdb\.bin)$/,
  /^etc\/(ca-certificates\.conf|network\/interfaces|nsswitch\.conf|profile|inputrc)$/,
  /^etc\/(alternatives|rc[0-6S]\.d|ssl\/certs|pki\/ca-trust\/extracted|systemd\/(system|user))\//,
  /^etc\/selinux\/[^/]+\/(active|policy|contexts)\//,
  /^etc\/(default\/(locale|keyboard)|apt\/sources\.list|dpkg\/origins\/default)$/,
  /^etc\/(pam\.d\/common-[\w-]+|security\/opasswd)$/,
  // Checks of their own look at these.
  /^etc\/ssh\/ssh_host_|\.(rpmnew|rpmsave|rpmorig|dpkg-\w+)$/,
];

export const etcUnowned: Check = {
  name: "etc-unowned",
  severity: "note",
  description: "files in /etc come from packages or from the base image",
  reason:
    "A file in /etc that an image brings is merged with the changes of each host at every " +
    "update, and a host that has changed it keeps its own version for good. Most programs read a " +
    "directory below /usr as well.",
  fix:
    "Move defaults to the program's directory below /usr, such as `/usr/lib/sysctl.d`. Suppress " +
    "the finding for files that have to be in /etc.",
  look: ({ tree, packages, base }) =>
    using(packages, ({ etcPaths }) =>
      listing(
        "Found files in /etc that no package owns",
        tree
          .below("etc")
          .filter((it) => it.kind !== "directory" && !etcPaths.has(`/${it.path}`))
          .filter((it) => !GENERATED.some((pattern) => pattern.test(it.path)))
          .filter((it) => !("value" in base && base.value.at(it.path) !== undefined))
          .filter((it) => !isAlternative(tree, it))
          .map(({ path }) => ({ shown: absolute(path), path })),
      ),
    ),
};

/** Links of update-alternatives lead to /etc/alternatives. */
function isAlternative(tree: ImageTree, { kind, target = "", path }: Entry): boolean {
  if (kind !== "link") return false;
  return target.startsWith("/etc/alternatives/") || tree.at(`${path}/..`) === undefined;
}

export const fstabEntries: Check = {
  name: "fstab-entries",
  severity: "warning",
  description: "/etc/fstab mounts nothing over /, and names no disk by its UUID",
  reason:
    "The root is mounted by the initramfs, by kernel arguments. An fstab that came from the " +
    "machine on which the image was made lets every other machine wait for a disk it does not " +
    "have.",
  fix:
    "Remove the line. What a machine mounts is written to its own /etc/fstab when it is " +
    "installed.",
  look: ({ tree }) => {
    const lines = (tree.readText("etc/fstab") ?? "").split("\n").map((it) => it.trim());
    const found = lines.filter((line) => {
      const [source = "", place = ""] = line.split(/\s+/);
      if (line === "" || source.startsWith("#")) return false;
      return place === "/" || place === "/sysroot" || /^(PART)?UUID=|^\/dev\/disk\//.test(source);
    });
    return listing(
      "Found entries of a particular machine in /etc/fstab",
      found.map((it) => ({ shown: it, path: "etc/fstab" })),
    );
  },
};
