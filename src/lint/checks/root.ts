// Checks of what the root directory has to contain, and of what may not be in it.
import { type Check, type Finding, listing, type Subject } from "../check.ts";
import { absolute } from "../formats/quote.ts";
import type { Entry, ImageTree } from "../tree.ts";

const API_DIRECTORIES = ["dev", "proc", "sys", "run", "tmp", "var"];

export const apiBaseDirectories: Check = {
  name: "api-base-directories",
  severity: "fatal",
  description: "/dev, /proc, /sys, /run, /tmp and /var are directories",
  reason:
    "The kernel and systemd mount their file systems on these directories. The root of a booted " +
    "system is read-only, so that nothing can make them at boot.",
  fix: "Make the directory, for example with `RUN mkdir /proc`. `--fix` makes a missing one.",
  look: ({ tree }) =>
    API_DIRECTORIES.flatMap((name): readonly Finding[] => {
      const entry = tree.at(name);
      if (entry?.kind === "directory") return [];
      if (entry !== undefined) {
        const message = `Expected directory for API filesystem base directory: /${name}`;
        return [{ message, path: name }];
      }
      const message = `Missing API filesystem base directory: /${name}`;
      const mode = name === "tmp" ? 0o1777 : 0o755;
      return [{ message, path: name, repair: { kind: "mkdir", mode } }];
    }),
};

export const baseimageRoot: Check = {
  name: "baseimage-root",
  severity: "fatal",
  description: "/sysroot is a directory, and /ostree links to sysroot/ostree",
  reason:
    "The physical root is mounted on /sysroot, and ostree and bootc find the repository through " +
    "/ostree.",
  fix: "`RUN mkdir /sysroot && ln -s sysroot/ostree /ostree`. `--fix` makes what is missing.",
  look: ({ tree }) => [
    ...lookAtRoot(tree, ""),
    ...(tree.follow(REFERENCE)?.kind === "directory" ? lookAtRoot(tree, `${REFERENCE}/`) : []),
  ],
};

/** The base image as its packages describe it. */
export const REFERENCE = "usr/share/doc/bootc/baseimage/base";

function lookAtRoot(tree: ImageTree, prefix: string): readonly Finding[] {
  const sysroot = tree.at(`${prefix}sysroot`);
  const ostree = tree.at(`${prefix}ostree`);
  return [
    ...lookAtSysroot(sysroot, `${prefix}sysroot`),
    ...lookAtOstree(ostree, `${prefix}ostree`),
  ];
}

function lookAtSysroot(entry: Entry | undefined, path: string): readonly Finding[] {
  if (entry === undefined) {
    return [{ message: "Missing /sysroot", path, repair: { kind: "mkdir", mode: 0o755 } }];
  }
  return entry.kind === "directory" ? [] : [{ message: "Expected a directory for /sysroot", path }];
}

function lookAtOstree(entry: Entry | undefined, path: string): readonly Finding[] {
  const wanted = "sysroot/ostree";
  if (entry === undefined) {
    const message = "Missing ostree -> sysroot/ostree link";
    return [{ message, path, repair: { kind: "symlink", target: wanted } }];
  }
  if (entry.kind !== "link") return [{ message: "/ostree should be a symlink", path }];
  if (entry.target === wanted) return [];
  return [{ message: `Expected /ostree -> ${wanted}, not ${entry.target}`, path }];
}

const RESOLV_CONF = "run/systemd/resolve/stub-resolv.conf";

export const nonemptyRunTmp: Check = {
  name: "nonempty-run-tmp",
  severity: "warning",
  description: "/run and /tmp are empty",
  reason:
    "Both are empty file systems in memory when the system runs; what the image has there is " +
    "never seen and changes the digest of the image.",
  fix:
    "Remove it in the step that writes it, or mount a tmpfs there: `RUN " +
    "--mount=type=tmpfs,target=/run …`. `--fix` removes it.",
  look: ({ tree }) => {
    const found = ["run", "tmp"]
      .filter((it) => tree.at(it)?.kind === "directory")
      .flatMap((it) => tree.below(it));
    // Container runtimes leave it behind when they mount a resolv.conf over a link to it.
    const tolerated = new Set(["run/systemd", "run/systemd/resolve", RESOLV_CONF]);
    const rest = found.filter((it) => !tolerated.has(it.path));
    const others = found.filter(
      ({ path }) =>
        tolerated.has(path) &&
        path !== RESOLV_CONF &&
        rest.some((it) => it.path.startsWith(`${path}/`)),
    );
    const isOnly = found.length > 0 && found.every((it) => it.path !== RESOLV_CONF);
    const shown = isOnly ? found : found.filter((it) => rest.includes(it) || others.includes(it));
    return listing(
      "Found content in runtime-only directories (/run, /tmp)",
      shown.map(({ path }) => ({ shown: absolute(path), path, repair: { kind: "remove" } })),
    );
  },
};

const USUAL = new Set(
  (
    "afs bin boot dev etc home lib lib32 lib64 libx32 libexec lost+found media mnt nix opt " +
    "ostree proc root run sbin selinux srv sys sysroot tmp usr var .dockerenv"
  ).split(" "),
);

export const toplevelEntries: Check = {
  name: "toplevel-entries",
  severity: "note",
  description: "the root directory has only the usual entries",
  reason:
    "The root of a booted system is read-only. What an application wants to write in a directory " +
    "of its own below / fails at run time.",
  fix:
    "Put programs below /usr, and data below /var; a link from / to /var/NAME keeps an old path " +
    "valid. Suppress the finding where a mount point is wanted.",
  look: ({ tree }: Subject) =>
    listing(
      "Unusual entries in the root directory",
      tree
        .names("")
        .filter((it) => !USUAL.has(it))
        // A link says where the data is, which is the solution.
        .filter((it) => tree.at(it)?.kind !== "link")
        .map((it) => ({ shown: absolute(it), path: it })),
    ),
};
