// Checks of names and kinds: what a repository of ostree can hold, and links that lead nowhere.
import { type Check, type Finding, listing } from "../check.ts";
import { absolute, quotePath } from "../formats/quote.ts";
import type { Entry } from "../tree.ts";

export const utf8: Check = {
  name: "utf8",
  severity: "fatal",
  isLast: true,
  description: "names and targets of links are UTF-8",
  reason:
    "ostree stores names as UTF-8 and refuses all others, so that the image cannot be deployed.",
  fix: "Rename the file or leave it out.",
  look: ({ tree }) =>
    tree.entries
      .filter((it) => it.notUtf8 !== undefined)
      .map((entry): Finding => ({ message: describe(entry), path: entry.path })),
};

function describe({ path, notUtf8 }: Entry): string {
  if (notUtf8 === "target") return `${absolute(path)}: Found non-utf8 symlink target`;
  const slash = path.lastIndexOf("/");
  return `${absolute(path.slice(0, Math.max(slash, 0)))}: Found non-utf8 filename "${path.slice(slash + 1)}"`;
}

export const specialFiles: Check = {
  name: "special-files",
  severity: "warning",
  description: "all device nodes, sockets and named pipes are in /dev or /run",
  reason:
    "ostree stores only files, directories and links. An image with another kind of file in " +
    "/usr or /etc is refused, or comes without it.",
  fix:
    "Leave them out; where a service needs one, a `tmpfiles.d` line makes it at boot. `--fix` " +
    "removes them.",
  look: ({ tree }) =>
    listing(
      "Found special files",
      tree.entries
        .filter((it) => !["directory", "file", "link"].includes(it.kind))
        .filter((it) => !/^(dev|run|tmp|proc|sys)\//.test(it.path))
        .map(({ path, kind }) => ({
          shown: `${absolute(path)} (${kind})`,
          path,
          repair: { kind: "remove" },
        })),
    ),
};

/** What is made or mounted when the system runs; /etc too, where hosts differ. */
const MADE_LATER = /^(dev|etc|home|media|mnt|opt|proc|root|run|srv|sys|sysroot|tmp|var)(\/|$)/;

/** Packages leave such links where another, optional package would bring the target. */
const BY_DESIGN = [
  /^usr\/share\/(doc|man|licenses|info|gtk-doc|javascript)\//,
  /^usr\/(lib\/(\.build-id|debug)|src)\//,
  /^usr\/lib\/modules\/[^/]+\/(build|source)$/,
];

export const brokenLinks: Check = {
  name: "broken-links",
  severity: "note",
  description: "links in /usr lead to something",
  reason:
    "A build that removes a file or copies a directory without its neighbours leaves such links; " +
    "whatever opens them fails at run time, and nobody can mend /usr there.",
  fix: "Remove the link, or bring what it points to.",
  look: ({ tree }) =>
    listing(
      "Found broken symbolic links",
      tree
        .below("usr")
        .filter(
          (it) =>
            it.kind === "link" &&
            it.notUtf8 === undefined &&
            !BY_DESIGN.some((pattern) => pattern.test(it.path)),
        )
        .filter((it) => tree.follow(it.path) === undefined && !leadsToMadeLater(it))
        .map(({ path, target = "" }) => ({
          shown: `${absolute(path)} -> ${quotePath(target)}`,
          path,
        })),
    ),
};

function leadsToMadeLater({ path, target = "" }: Entry): boolean {
  const parts: string[] = target.startsWith("/") ? [] : path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return MADE_LATER.test(parts.join("/"));
}
