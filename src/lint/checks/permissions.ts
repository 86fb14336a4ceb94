// Checks of permissions: who may become root, and who may write.
import { type Check, listing, using } from "../check.ts";
import { absolute } from "../formats/quote.ts";
import type { Entry } from "../tree.ts";

const SET_ID = 0o6000;

export const newSetuid: Check = {
  name: "new-setuid",
  severity: "warning",
  description: "no file is set-uid or set-gid that was not so in the base image",
  reason:
    "Each of these programs can make its caller another user; one that an image adds deserves a " +
    "look.",
  fix:
    "`RUN chmod ug-s FILE`, or remove the package. Suppress the finding for a program that has " +
    "to be so.",
  look: ({ tree, base }) =>
    using(base, (old) =>
      listing(
        "Found set-uid or set-gid files that the base image does not have",
        tree.entries
          .filter((it) => it.kind === "file" && (it.mode & SET_ID) !== 0)
          .filter((it) => ((old.at(it.path)?.mode ?? 0) & SET_ID) !== (it.mode & SET_ID))
          .map((it) => ({ shown: withMode(it), path: it.path })),
      ),
    ),
};

/** What the kernel or systemd mounts over, whatever the image has there. */
const MOUNTED = /^(dev|proc|run|sys)(\/|$)/;

export const worldWritable: Check = {
  name: "world-writable",
  severity: "warning",
  description: "nothing can be written by everybody",
  reason:
    "Any user of a host can change such a file, and add files to such a directory or remove " +
    "others' files from it when it has no sticky bit.",
  fix:
    "`RUN chmod o-w PATH`, or `chmod +t` for a directory that everybody shares. `--fix` does " +
    "`o-w`.",
  look: ({ tree }) =>
    listing(
      "Found world-writable files or directories",
      tree.entries
        .filter((it) => isWorldWritable(it) && !MOUNTED.test(it.path))
        .map((it) => ({
          shown: withMode(it),
          path: it.path,
          repair: { kind: "chmod", mode: it.mode & ~0o002 },
        })),
    ),
};

function isWorldWritable({ kind, mode }: Entry): boolean {
  if ((mode & 0o002) === 0) return false;
  return kind === "file" || (kind === "directory" && (mode & 0o1000) === 0);
}

export const writableUsr: Check = {
  name: "writable-usr",
  severity: "warning",
  description: "no directory in /usr belongs to a user who would write to it",
  reason:
    "/usr is read-only on a host, for root and for everybody else. A directory in it that " +
    "belongs to the user of a service is where that service wants to write, and where it fails.",
  fix:
    "Have the service write below /var, with `StateDirectory=`, `CacheDirectory=` or a " +
    "`tmpfiles.d` line; a link keeps an old path valid.",
  look: ({ tree }) =>
    listing(
      "Found directories in /usr that somebody other than root may write to",
      tree
        .below("usr")
        .filter((it) => it.kind === "directory" && isWritableByOthers(it))
        .map((it) => ({ shown: `${withMode(it)} (uid ${it.uid}, gid ${it.gid})`, path: it.path })),
    ),
};

/** polkit gives its directories to its user so that others cannot read them, and writes nothing there. */
const ONLY_READ = /^usr\/(share|lib)\/polkit-1\//;

/** Debian's /usr/local belongs to a group of administrators, and no service. */
function isWritableByOthers({ path, mode, uid, gid }: Entry): boolean {
  if (ONLY_READ.test(path)) return false;
  const isOfGroup = gid !== 0 && (mode & 0o020) !== 0 && !/^usr\/local(\/|$)/.test(path);
  return (uid !== 0 && (mode & 0o200) !== 0) || isOfGroup;
}

function withMode({ path, mode }: Entry): string {
  return `${absolute(path)} ${mode.toString(8).padStart(4, "0")}`;
}
