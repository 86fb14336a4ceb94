// Checks of /var, which belongs to the host: an image only fills it when the host is installed.
import { type Check, type Finding, type Item, listing } from "../check.ts";
import { parseAccounts } from "../formats/accounts.ts";
import { absolute, quotePath } from "../formats/quote.ts";
import { makesFiles, parseTmpfiles, type TmpfilesLine } from "../formats/tmpfiles.ts";
import type { Entry, ImageTree } from "../tree.ts";

export const varLog: Check = {
  name: "var-log",
  severity: "warning",
  description: "there is no log of the build in /var/log",
  reason:
    "Logs of the build are copied to every host that is installed, and to no host that updates.",
  fix: "`RUN rm -rf /var/log/*` in the step that writes them. `--fix` removes them.",
  look: ({ tree }) =>
    listing(
      "Found non-empty logfile",
      below(tree, "var/log")
        .filter((it) => it.kind === "file" && it.sizeBytes > 0)
        .map(({ path }) => ({ shown: absolute(path), path, repair: { kind: "remove" } })),
      { isInline: true },
    ),
};

export const varRun: Check = {
  name: "var-run",
  severity: "fatal",
  description: "/var/run is a link to /run",
  reason: "Half of all programs look for sockets and pid files in /var/run, the others in /run.",
  fix: "`RUN rm -rf /var/run && ln -s ../run /var/run`.",
  look: ({ tree }): readonly Finding[] => {
    const entry = tree.at("var/run");
    if (entry === undefined || entry.kind === "link") return [];
    return [{ message: "Not a symlink: var/run", path: "var/run" }];
  },
};

export const varTmpfiles: Check = {
  name: "var-tmpfiles",
  severity: "warning",
  rootKind: "running",
  description: "everything in /var is made by a tmpfiles.d line",
  reason:
    "/var of an image reaches a host once, when it is installed. A directory that a later image " +
    "adds never gets to the hosts that update, and the service that needs it fails there.",
  fix:
    "Add the line to a file `/usr/lib/tmpfiles.d/NAME.conf`, or have the unit say " +
    "`StateDirectory=`. Remove files that the build left behind.",
  look: ({ tree }) => {
    const lines = readTmpfiles(tree);
    const found = tree.below("var").filter((it) => !lines.names.has(it.path));
    const [makeable, others] = [
      found.filter((it) => it.kind === "directory" || it.kind === "link"),
      found.filter((it) => it.kind !== "directory" && it.kind !== "link"),
    ];
    const nameOf = ownerNames(tree);
    return [
      ...listing(
        "Found content in /var missing systemd tmpfiles.d entries",
        makeable.map((it) => ({ shown: lineFor(it, nameOf), path: it.path })).sort(byText),
      ),
      ...listing(
        "Found non-directory/non-symlink files in /var",
        others.map(({ path }) => ({ shown: quotePath(path), path })),
      ),
    ];
  },
};

export const varContent: Check = {
  name: "var-content",
  severity: "note",
  rootKind: "alternative",
  description: "files in /var are made by a tmpfiles.d line or come from /usr/share/factory",
  reason:
    "`var-tmpfiles` says it of a running root; this one looks at any directory, and knows " +
    "`/usr/share/factory` and the lines that make files. What is not made that way reaches a " +
    "host once, when it is installed.",
  fix:
    "Move the file to `/usr/share/factory/var/…` and have a `C` line of tmpfiles.d copy it, or " +
    "remove it.",
  look: ({ tree }) => {
    const lines = readTmpfiles(tree);
    const isMade = ({ path }: Entry) =>
      lines.made.has(path) ||
      lines.copied.some((it) => path === it || path.startsWith(`${it}/`)) ||
      tree.at(`usr/share/factory/${path}`) !== undefined;
    const found = below(tree, "var").filter((it) => it.kind === "file" && !isMade(it));
    return listing("Found files in /var that nothing makes", summarize(found));
  },
};

/** Directories of many files count as one: the database of packages alone has thousands. */
function summarize(files: readonly Entry[]): readonly Item[] {
  const groups = new Map<string, Entry[]>();
  for (const file of files) {
    const group = file.path.split("/").slice(0, 3).join("/");
    const members = groups.get(group) ?? [];
    members.push(file);
    groups.set(group, members);
  }
  return [...groups].map(([group, members]) => {
    const shown = members.length === 1 ? (members[0]?.path ?? group) : group;
    return {
      path: shown,
      shown:
        members.length === 1 ? absolute(shown) : `${absolute(group)} (${members.length} files)`,
    };
  });
}

/** What is below a directory of this tree; nothing when it is a link to elsewhere. */
function below(tree: ImageTree, path: string): readonly Entry[] {
  return tree.at(path)?.kind === "directory" ? tree.below(path) : [];
}

interface Tmpfiles {
  /** Everything that some line names. */
  readonly names: ReadonlySet<string>;
  /** What a line makes as a file. */
  readonly made: ReadonlySet<string>;
  /** What a line copies, with everything below it. */
  readonly copied: readonly string[];
}

function readTmpfiles(tree: ImageTree): Tmpfiles {
  const lines = ["usr/lib/tmpfiles.d", "etc/tmpfiles.d"].flatMap((dir) =>
    tree
      .names(dir)
      .filter((it) => it.endsWith(".conf"))
      .flatMap((it) => parseTmpfiles(tree.readText(`${dir}/${it}`) ?? "")),
  );
  const placed = lines.map((it) => ({ ...it, path: placeOf(tree, it) }));
  return {
    names: new Set(placed.map((it) => it.path)),
    made: new Set(placed.filter((it) => makesFiles(it.type)).map((it) => it.path)),
    copied: placed.filter((it) => it.type === "C").map((it) => it.path),
  };
}

/** Where a line's path leads, so that /var/run/x and /run/x are the same. */
function placeOf(tree: ImageTree, { path }: TmpfilesLine): string {
  const clean = path.replace(/\/+$/, "").slice(1);
  const slash = clean.lastIndexOf("/");
  const parent = slash < 0 ? undefined : tree.follow(clean.slice(0, slash));
  return parent === undefined ? clean : `${parent.path}/${clean.slice(slash + 1)}`;
}

function lineFor(entry: Entry, nameOf: OwnerNames): string {
  const path = absolute(entry.path);
  if (entry.kind === "link") return `L ${path} - - - - ${quotePath(entry.target ?? "")}`;
  const mode = entry.mode.toString(8).padStart(4, "0");
  return `d ${path} ${mode} ${nameOf.user(entry.uid)} ${nameOf.group(entry.gid)} - -`;
}

interface OwnerNames {
  user(id: number): string;
  group(id: number): string;
}

function ownerNames(tree: ImageTree): OwnerNames {
  const read = (path: string) =>
    new Map(parseAccounts(tree.readText(path) ?? "").map((it) => [it.id, it.name]));
  const [users, groups] = [read("etc/passwd"), read("etc/group")];
  return {
    user: (id) => users.get(id) ?? (id === 0 ? "root" : `${id}`),
    group: (id) => groups.get(id) ?? (id === 0 ? "root" : `${id}`),
  };
}

function byText(a: Item, b: Item): number {
  return a.shown < b.shown ? -1 : 1;
}
