import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import type { Context } from "../context.ts";
import { parsePrivileges } from "../privileges.ts";
import { findCover, parseMountinfo, readMount, readMountsBelow } from "./mounts.ts";

const plain = { device: "0:5", fsRoot: "/", type: "xfs", source: "/dev/vda4", isReadOnly: false };

test.each([
  {
    what: "escapes and optional fields",
    line: "36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 shared:2 - ext3 /dev/a\\134b rw",
    want: { path: "/a b", device: "98:0", fsRoot: "/mnt1", type: "ext3", source: "/dev/a\\b" },
  },
  { what: "a mount that is read-only", line: "37 35 0:5 / /b ro - xfs /dev/vda4 rw", ro: true },
  { what: "a file system that is", line: "37 35 0:5 / /b rw - xfs /dev/vda4 ro,x", ro: true },
  {
    what: "a subvolume",
    line: "37 35 0:5 /root /b rw - btrfs /dev/vda4 rw,subvol=/root",
    want: { fsRoot: "/root", type: "btrfs" },
  },
])("a line of mountinfo: $what", ({ line, want, ro = false }) => {
  const mount = { ...plain, path: "/b", isReadOnly: ro, ...want };
  expect(parseMountinfo(`${line}\n\n`)).toEqual([mount]);
});

async function layOutMounts(files: Readonly<Record<string, string>>): Promise<Context> {
  const root = await mkdtemp(join(tmpdir(), "mounts-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return scriptedContext(root, []).ctx;
}

test("of mounts at one place the last one counts; mounts beside a path are not below it", async () => {
  const line = (path: string, type: string) => `1 1 0:1 / ${path} rw - ${type} ${type} rw\n`;
  const lines = [line("/", "rootfs"), line("/a", "x"), line("/a", "y"), line("/a/b", "z")];
  const ctx = await layOutMounts({
    "proc/self/mountinfo": [...lines, line("/ab", "x"), line("/", "overlay")].join(""),
  });
  expect((await readMount(ctx, "/"))?.type).toBe("overlay");
  expect((await readMount(ctx, "/a"))?.type).toBe("y");
  expect(await readMount(ctx, "/c")).toBeUndefined();
  expect((await readMountsBelow(ctx, "/a")).map((it) => it.path)).toEqual(["/a", "/a", "/a/b"]);
});

test("a root that the kernel mounted by itself has the name of its device", async () => {
  const mountinfo = "1 0 8:1 / / rw - ext4 /dev/root rw\n";
  const uevent = "MAJOR=8\nMINOR=1\nDEVNAME=sda1\nDEVTYPE=partition\n";
  const known = await layOutMounts({
    "proc/self/mountinfo": mountinfo,
    "sys/dev/block/8:1/uevent": uevent,
  });
  expect((await readMount(known, "/"))?.source).toBe("/dev/sda1");
  const unknown = await layOutMounts({ "proc/self/mountinfo": mountinfo });
  expect((await readMount(unknown, "/"))?.source).toBe("/dev/root");
});

test.each([
  ["/var/lib/containers", "/dev/c"],
  ["/var/lib/containers/storage", "/dev/c"],
  ["/var/lib", "/dev/b2"],
  ["/var/lib2", "/dev/b2"],
  ["/variable", "/dev/a"],
  ["/", "/dev/a"],
])("%s lies on %s", (path, source) => {
  const lines = [
    ["/", "/dev/a"],
    ["/var", "/dev/b1"],
    ["/var/lib/containers", "/dev/c"],
    ["/var", "/dev/b2"],
  ].map(([place, device]) => `1 2 8:1 / ${place} rw - ext4 ${device} rw\n`);
  expect(findCover(parseMountinfo(lines.join("")), path)?.source).toBe(source);
});

test.each([
  { uids: "0\t0\t0\t0", caps: "000001ffffffffff", want: [true, true] },
  { uids: "1000\t0\t0\t0", caps: "000001ffffffffff", want: [true, true] },
  { uids: "0\t1000\t0\t0", caps: "000001ffffffffff", want: [false, true] },
  { uids: "0\t0\t0\t0", caps: "00000000a80425fb", want: [true, false] }, // a container's
  { uids: "0\t0\t0\t0", caps: "0000000000200000", want: [true, true] },
])("uids $uids, bounding set $caps", ({ uids, caps, want }) => {
  const { isRoot, hasSysAdmin } = parsePrivileges(`Name:\tx\nUid:\t${uids}\nCapBnd:\t${caps}\n`);
  expect([isRoot, hasSysAdmin]).toEqual(want);
});
