// Checks of users and groups, and of who owns the files.
import { type Check, type Item, listing, using } from "../check.ts";
import {
  type Account,
  parseAccounts,
  parseSysusers,
  parseUsersWithoutPassword,
} from "../formats/accounts.ts";
import { absolute, quotePath } from "../formats/quote.ts";
import type { ImageTree } from "../tree.ts";

export const sysusers: Check = {
  name: "sysusers",
  severity: "warning",
  description: "every user and group of /etc/passwd and /etc/group has a sysusers.d line",
  reason:
    "A host that has changed /etc/passwd keeps its own file at every update, and never sees a " +
    "user that a newer image adds there. systemd-sysusers adds those of `/usr/lib/sysusers.d` at " +
    "every boot.",
  fix: 'Declare the user in a file `/usr/lib/sysusers.d/NAME.conf`: `u NAME - "Description" /var/lib/NAME`.',
  look: ({ tree }) => {
    const passwd = tree.readText("etc/passwd");
    if (passwd === undefined) return [];
    const files = tree.names("usr/lib/sysusers.d").filter((it) => it.endsWith(".conf"));
    const known = parseSysusers(files.map((it) => tree.readText(`usr/lib/sysusers.d/${it}`) ?? ""));
    const unknown = (text: string, names: ReadonlySet<string>, path: string) =>
      parseAccounts(text)
        .map((it) => it.name)
        .filter((it) => !names.has(it))
        .sort()
        .map((it) => ({ shown: quotePath(it), path }));
    const without = (path: string) =>
      `Found /${path} entry without corresponding systemd sysusers.d`;
    const group = tree.readText("etc/group") ?? "";
    return [
      ...listing(without("etc/passwd"), unknown(passwd, known.users, "etc/passwd")),
      ...listing(without("etc/group"), unknown(group, known.groups, "etc/group")),
    ];
  },
};

/** nss-altfiles reads a second pair of files, and homed and others whole directories. */
const PASSWD_FILES = ["etc/passwd", "usr/lib/passwd", "usr/etc/passwd"];
const GROUP_FILES = ["etc/group", "usr/lib/group", "usr/etc/group"];

export const unknownIds: Check = {
  name: "unknown-ids",
  severity: "warning",
  description: "files belong to users and groups that the image has",
  reason:
    "The next user that is made on a host may get just this number, and with it the files. Often " +
    "a `COPY` without `--chown` or an archive unpacked as root brings the ids of another " +
    "machine.",
  fix: "`COPY --chown=0:0 …`, `tar --no-same-owner`, or declare the user in `/usr/lib/sysusers.d`.",
  look: ({ tree }) => {
    if (tree.readText("etc/passwd") === undefined) return [];
    const uids = new Set(accountsIn(tree, PASSWD_FILES).map((it) => it.id));
    const gids = new Set([
      ...accountsIn(tree, GROUP_FILES).map((it) => it.id),
      ...accountsIn(tree, PASSWD_FILES).flatMap((it) => it.groupId ?? []),
    ]);
    const items = tree.entries.flatMap(({ path, uid, gid }): readonly Item[] => {
      const ids = [
        ...(uids.has(uid) || uid === 0 ? [] : [`uid ${uid}`]),
        ...(gids.has(gid) || gid === 0 ? [] : [`gid ${gid}`]),
      ];
      return ids.length === 0 ? [] : [{ shown: `${absolute(path)} (${ids.join(", ")})`, path }];
    });
    return listing("Found files of unknown users or groups", items);
  },
};

export const movedIds: Check = {
  name: "moved-ids",
  severity: "warning",
  description: "users and groups have the ids they have in the base image",
  reason:
    "Files in /var and /etc of a running host keep the number of their owner. When an update " +
    "gives a user another number, its service no longer gets at its own files, and another " +
    "service may.",
  fix: "Give the user a fixed number in `/usr/lib/sysusers.d`, the one that hosts have.",
  look: ({ tree, base }) =>
    using(base, (old) =>
      listing("Found ids that differ from the base image", [
        ...movedIn(tree, old, { files: PASSWD_FILES, word: "user" }),
        ...movedIn(tree, old, { files: GROUP_FILES, word: "group" }),
      ]),
    ),
};

function movedIn(
  tree: ImageTree,
  base: ImageTree,
  { files, word }: { readonly files: readonly string[]; readonly word: string },
): readonly Item[] {
  const before = new Map(accountsIn(base, files).map((it) => [it.name, it.id]));
  return accountsIn(tree, files).flatMap(({ name, id }) => {
    const was = before.get(name);
    if (was === undefined || was === id) return [];
    return [{ shown: `${word} ${quotePath(name)}: ${id}, was ${was}`, path: files[0] ?? "" }];
  });
}

function accountsIn(tree: ImageTree, files: readonly string[]): readonly Account[] {
  return files.flatMap((it) => parseAccounts(tree.readText(it) ?? ""));
}

export const emptyPasswords: Check = {
  name: "empty-passwords",
  severity: "warning",
  description: "no user logs in without a password",
  reason:
    "Everybody who reaches a console, or an ssh server that allows it, is that user on every host.",
  fix: "Lock the user: `RUN passwd --lock NAME`.",
  look: ({ tree }) =>
    listing(
      "Found users without a password",
      parseUsersWithoutPassword(tree.readText("etc/shadow") ?? "").map((it) => ({
        shown: quotePath(it),
        path: "etc/shadow",
      })),
    ),
};
