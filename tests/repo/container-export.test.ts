// `bootc container export`, read by GNU tar, and labelled by a real policy.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, cpSync, existsSync, linkSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeImageRoot } from "../../src/testing/image-root.ts";
import { testThroughDoor } from "./door.ts";
import { wholeSelinuxPolicy } from "./images/selinux-policy.ts";
import { bootc, makeScratch, type Scratch } from "./program.ts";

let scratch: Scratch;
beforeAll(async () => {
  scratch = await makeScratch();
});
afterAll(() => scratch?.remove());

const LONG = `usr/share/${"long-directory/".repeat(8)}caf\u00e9`;

async function makeRoot(): Promise<string> {
  const root = await makeImageRoot({
    "usr/bin/su": { text: "program", mode: 0o4755 },
    [LONG]: "content",
    "sysroot/ostree/repo/config": "x",
    "tmp/x": "x",
    "var/tmp/x": "x",
  });
  linkSync(join(root, "usr/bin/su"), join(root, "usr/bin/zu"));
  chownSync(join(root, LONG), 3_000_000, 12);
  return root;
}

/** Lines of `tar --list --verbose`, with single spaces. */
function list(tar: string): readonly string[] {
  const args = [
    "--list",
    // About a record for libarchive.
    "--warning=none",
    "--verbose",
    "--numeric-owner",
    "--full-time",
    "--utc",
    "--quoting-style=literal",
  ];
  const text = execFileSync("tar", [...args, `--file=${tar}`], {
    encoding: "utf8",
    env: { LC_ALL: "C.UTF-8" },
  });
  return text
    .trimEnd()
    .split("\n")
    .map((it) => it.replaceAll(/ +/g, " "));
}

/** The label in the record right before the entry `path`. */
function labelOf(tar: string, path: string): string | undefined {
  const bytes = readFileSync(tar);
  const at = bytes.indexOf(`${path}\0`);
  const record = bytes.toString("latin1", Math.max(at - 512, 0), at);
  return /SCHILY\.xattr\.security\.selinux=(.+)\n/.exec(record)?.[1];
}

test("GNU tar unpacks what was there, without what belongs to a machine", async () => {
  const root = await makeRoot();
  const tar = join(scratch.dir, "root.tar");
  const { status, stdout, stderr } = await bootc(["container", "export", `--output=${tar}`, root]);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  const lines = list(tar);
  expect(lines).toContain("-rwsr-xr-x 0/0 7 1970-01-01 00:00:00 usr/bin/su");
  expect(lines).toContain("hrwsr-xr-x 0/0 0 1970-01-01 00:00:00 usr/bin/zu link to usr/bin/su");
  expect(lines).toContain(`-rw-r--r-- 3000000/12 7 1970-01-01 00:00:00 ${LONG}`);
  expect(lines).toContain("lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 ostree -> sysroot/ostree");
  expect(lines).toContain("drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/");
  expect(lines.filter((it) => / (sysroot\/ostree|tmp|var\/tmp)\/./.test(it))).toEqual([]);
  const unpacked = join(scratch.dir, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["--extract", "--warning=none", `--file=${tar}`, `--directory=${unpacked}`]);
  expect(readFileSync(join(unpacked, LONG), "utf8")).toBe("content");
  for (const it of ["usr", "etc", "boot", "dev"]) {
    execFileSync("diff", ["--recursive", "--no-dereference", join(root, it), join(unpacked, it)]);
  }
});

test("standard output gets the same bytes, and the kernel goes to /boot", async () => {
  const root = await makeRoot();
  const tar = join(scratch.dir, "kernel.tar");
  const args = ["container", "export", "--kernel-in-boot"];
  expect(await bootc([...args, `--output=${tar}`, root])).toMatchObject({ status: 0 });
  expect(list(tar).filter((it) => it.includes(" boot/"))).toEqual([
    "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 boot/",
    "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 boot/grub2/",
    "-rw-r--r-- 0/0 6 1970-01-01 00:00:00 boot/vmlinuz-6.12.0",
    expect.stringMatching(/^-rw-r--r-- 0\/0 \d+ 1970-01-01 00:00:00 boot\/initramfs-6.12.0.img$/),
  ]);
  const { stdout } = await bootc([...args, root]);
  const sum = (it: Buffer) => createHash("sha256").update(it).digest("hex");
  expect(sum(Buffer.from(stdout, "utf8"))).toBe(
    sum(Buffer.from(readFileSync(tar).toString("utf8"), "utf8")),
  );
});

testThroughDoor("labels come from the policy in the image", async () => {
  const root = await makeRoot();
  cpSync(join(wholeSelinuxPolicy(), "etc/selinux"), join(root, "etc/selinux"), { recursive: true });
  const tar = join(scratch.dir, "labels.tar");
  expect(await bootc(["container", "export", `--output=${tar}`, root])).toMatchObject({
    status: 0,
  });
  expect(labelOf(tar, "etc/passwd")).toBe("system_u:object_r:etc_t:s0");
  expect(labelOf(tar, "usr/bin/su")).toBe("system_u:object_r:su_exec_t:s0");
  const plain = join(scratch.dir, "plain.tar");
  await bootc(["container", "export", "--disable-selinux", `--output=${plain}`, root]);
  expect(labelOf(plain, "etc/passwd")).toBeUndefined();
});

test("a named pipe is refused before anything is written", async () => {
  const root = await makeRoot();
  execFileSync("mkfifo", [join(root, "usr/lib/pipe")]);
  const tar = join(scratch.dir, "refused.tar");
  expect(await bootc(["container", "export", `--output=${tar}`, root])).toEqual({
    status: 1,
    stdout: "",
    stderr:
      "error: `/usr/lib/pipe` is a fifo, which cannot be exported\n" +
      "hint: `bootc container lint` lists all of them\n",
  });
  expect(existsSync(tar)).toBe(false);
});
