// docs/compatibility.md has a row for every command, here and in bootc 1.x.
import { expect, test } from "vitest";
import { listVerbs, readCompatibility } from "../testing/compatibility.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { createProgram } from "./program.ts";

const rows = readCompatibility();
const verbs = listVerbs(createProgram(scriptedContext("/nonexistent", []).ctx));

/** Every command of bootc 1.16.9. */
const OF_BOOTC_1 = [
  ...["upgrade", "switch", "rollback", "edit", "status", "usr-overlay", "completion"],
  ...["to-disk", "to-filesystem", "to-existing-root", "reset", "finalize"].map(under("install")),
  ...["ensure-completion", "print-configuration"].map(under("install")),
  ...["inspect", "lint", "export", "ukify", "split-kernel-and-rootfs"].map(under("container")),
  "container compute-composefs-digest",
  "container compute-composefs-digest-from-storage",
  ...["list", "copy-to-storage", "set-unified", "pull-from-default-storage"].map(under("image")),
  ...["list", "build", "pull", "push"].map(under("image cmd")),
  "loader-entries set-options-for-source",
  ...["composefs-finalize-staged", "exec-in-host-mount-namespace", "state wipe-ostree"],
  ...["config-diff", "delete-deployment"],
  ...["systemd-generator", "fixup-etc-fstab", "sysusers-sync", "print-json-schema"].map(
    under("internals"),
  ),
  ...["fsverity measure", "fsverity enable", "fsck", "cleanup", "relabel"].map(under("internals")),
  ...["relabel-overlay-mountpoints", "cfs", "test-composefs", "reboot"].map(under("internals")),
  ...["loopback-cleanup-helper", "allocate-cleanup-loopback"].map(under("internals")),
  ...["bootc-install-completion", "publish-rhsm-facts", "dir-diff"].map(under("internals")),
  ...["dump-cli-json", "prep-soft-reboot", "composefs-gc", "uki extract"].map(under("internals")),
  ...["blockdev ls", "blockdev ls-filesystem"].map(under("internals")),
].map(under("bootc"));

const OF_OSTREE_EXT = [
  ...["unencapsulate", "info", "encapsulate", "commit", "compare"].map(under("ostree container")),
  ...["list", "pull", "history", "metadata", "clear-cached-update", "copy", "reexport"]
    .map(under("image"))
    .map(under("ostree container")),
  ...["replace-detached-metadata", "remove", "prune-layers", "prune-images", "deploy"]
    .map(under("image"))
    .map(under("ostree container")),
  ...["tar import", "tar export", "ima-sign"].map(under("ostree-ext")),
  ...["analyze-inodes", "repair"].map(under("ostree-ext provisional-repair")),
];

function under(group: string): (name: string) => string {
  return (name) => `${group} ${name}`;
}

test("each command has one row", () => {
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.map((it) => it.verb).filter((it, i, all) => all.indexOf(it) !== i)).toEqual([]);
});

test("every command that is here has a row, which does not say that it is missing", () => {
  const described = rows.filter((it) => it.status !== "missing").map((it) => it.verb);
  expect(verbs.map((it) => it.name).filter((it) => !described.includes(it))).toEqual([]);
});

test("every row that does not say so is about a command that is here", () => {
  const here = verbs.map((it) => it.name);
  const wrong = rows.filter((it) => it.status !== "missing" && !here.includes(it.verb));
  expect(wrong.map((it) => it.verb)).toEqual([]);
});

test("the rows that are not our own are those of bootc 1.x", () => {
  const theirs = [...OF_BOOTC_1, ...OF_OSTREE_EXT, "system-reinstall-bootc"];
  const listed = rows.filter((it) => it.status !== "own").map((it) => it.verb);
  expect(listed.toSorted()).toEqual(theirs.toSorted());
});

test("what differs is explained", () => {
  const silent = rows.filter((it) => /beyond|other|own/.test(it.status) && it.differences === "");
  expect(silent.map((it) => it.verb)).toEqual([]);
});
