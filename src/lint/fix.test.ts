import {
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeImageRoot, type Placement, subjectOf } from "../testing/image-root.ts";
import { describeRepair, planRepairs, repairPath } from "./fix.ts";
import { runChecks } from "./run.ts";

const SKIP = ["package-leftovers"];

/** What was done; afterwards the checks have nothing that can be repaired. */
function repairAll(root: string): readonly string[] {
  const subject = subjectOf(root);
  const planned = planRepairs(runChecks(subject, { skip: SKIP }));
  const done = planned.filter((it) => repairPath(root, subject.tree, it));
  return done.map(describeRepair);
}

test("every kind of repair leaves a root without that finding", async () => {
  const changes: Placement = {
    proc: null,
    sysroot: null,
    ostree: null,
    "run/a/b": "x",
    "etc/machine-id": "0".repeat(32),
    "etc/ssh/ssh_host_rsa_key": "x",
    "usr/lib/open": { text: "", mode: 0o4777 },
    "var/log/x.log": "x",
  };
  const root = await makeImageRoot(changes);
  expect(repairAll(root)).toEqual([
    "Fixed: var-log: removed /var/log/x.log",
    "Fixed: world-writable: changed the mode of /usr/lib/open to 4775",
    "Fixed: baseimage-root: made the directory /sysroot",
    "Fixed: nonempty-run-tmp: removed /run/a/b",
    "Fixed: nonempty-run-tmp: removed /run/a",
    "Fixed: api-base-directories: made the directory /proc",
    "Fixed: baseimage-root: made the link /ostree",
    "Fixed: ssh-host-keys: removed /etc/ssh/ssh_host_rsa_key",
    "Fixed: machine-id: emptied /etc/machine-id",
  ]);
  expect(repairAll(root)).toEqual([]);
  expect(readlinkSync(join(root, "ostree"))).toBe("sysroot/ostree");
  expect(statSync(join(root, "usr/lib/open")).mode & 0o7777).toBe(0o4775);
  expect(runChecks(subjectOf(root), { skip: SKIP }).found).toEqual([]);
});

test("a file with a second name keeps its content and its mode", async () => {
  const root = await makeImageRoot({
    "usr/lib/open": { text: "", mode: 0o666 },
    "etc/machine-id": "0".repeat(32),
  });
  const object = `${root}.object`;
  onTestFinished(() => rm(object));
  linkSync(join(root, "usr/lib/open"), object);
  linkSync(join(root, "etc/machine-id"), join(root, "usr/lib/id"));
  expect(repairAll(root)).toEqual([]);
  expect(statSync(object).mode & 0o777).toBe(0o666);
  expect(statSync(join(root, "usr/lib/id")).size).toBe(32);
});

test("nothing outside the root is touched, whatever its links say", async () => {
  const outside = await mkdtemp("/var/tmp/outside-");
  onTestFinished(() => rm(outside, { recursive: true, force: true }));
  const id = "0".repeat(32);
  mkdirSync(join(outside, "ssh"));
  writeFileSync(join(outside, "machine-id"), id);
  writeFileSync(join(outside, "ssh/ssh_host_rsa_key"), "x");
  const root = await makeImageRoot();
  await rm(join(root, "etc"), { recursive: true });
  await rm(join(root, "var/log"), { recursive: true });
  symlinkSync(outside, join(root, "etc"));
  symlinkSync(outside, join(root, "var/log"));
  symlinkSync("../../../../../..", join(root, "tmp/up"));
  // What the absolute link leads to when the root is `/`.
  mkdirSync(join(root, outside), { recursive: true });
  writeFileSync(join(root, outside, "machine-id"), id);
  expect(repairAll(root)).toContain("Fixed: machine-id: emptied /etc/machine-id");
  expect(await readFile(join(outside, "machine-id"), "utf8")).toBe(id);
  expect(await readFile(join(root, outside, "machine-id"), "utf8")).toBe("");
  expect(lstatSync(join(outside, "ssh/ssh_host_rsa_key")).size).toBe(1);
});
