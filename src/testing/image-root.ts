// Roots of images for tests of the checks: one without mistakes, and changes to it.
import { chmodSync, lchownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { Subject } from "../lint/check.ts";
import { walkTree } from "../lint/read/walk.ts";

/** A file's text or bytes, a link, a directory, or null for something of the clean root that is not there. */
export type Placed =
  | string
  | Buffer
  | null
  | { readonly link: string }
  | { readonly dir: number }
  | { readonly text: string; readonly mode?: number; readonly uid?: number };

export type Placement = Readonly<Record<string, Placed>>;

const HEADER = "070701";

/** An initramfs with empty files of these names. */
export function makeInitramfs(names: readonly string[]): Buffer {
  const entries = [...names, "TRAILER!!!"].map((name) => {
    const fields = Array.from({ length: 13 }, (_, i) => (i === 11 ? name.length + 1 : 0));
    const head = HEADER + fields.map((it) => it.toString(16).padStart(8, "0")).join("");
    const text = `${head}${name}\0`;
    return text.padEnd(Math.ceil(text.length / 4) * 4, "\0");
  });
  return Buffer.from(entries.join(""), "latin1");
}

/** No check has anything to say about it. */
export const CLEAN: Placement = {
  dev: { dir: 0o755 },
  proc: { dir: 0o755 },
  sys: { dir: 0o755 },
  run: { dir: 0o755 },
  tmp: { dir: 0o1777 },
  boot: { dir: 0o755 },
  sysroot: { dir: 0o755 },
  "var/log": { dir: 0o755 },
  ostree: { link: "sysroot/ostree" },
  "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "etc/group": "root:x:0:\n",
  "etc/shadow": "root:*:20000::::::\n",
  "etc/machine-id": "",
  "usr/lib/sysusers.d/basic.conf": 'u root 0 "Super User" /root\n',
  "usr/lib/tmpfiles.d/var.conf": "d /var/log 0755 - - -\n",
  "usr/lib/ostree/prepare-root.conf": "[composefs]\nenabled = yes\n",
  "usr/lib/os-release": 'ID=debian\nPRETTY_NAME="Debian"\nIMAGE_VERSION=1\n',
  "usr/lib/modules/6.12.0/vmlinuz": "kernel",
  "usr/lib/modules/6.12.0/modules.dep": "",
  "usr/lib/modules/6.12.0/kernel/a.ko": "",
  "usr/lib/modules/6.12.0/initramfs.img": makeInitramfs(["usr/lib/ostree/ostree-prepare-root"]),
};

/** A temporary directory with the clean root and `changes` to it. */
export async function makeImageRoot(changes: Placement = {}): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "image-root-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [path, it] of Object.entries({ ...CLEAN, ...changes })) place(join(root, path), it);
  return root;
}

function place(path: string, it: Placed): void {
  if (it === null) {
    rmSync(path, { recursive: true, force: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  if (typeof it === "string" || Buffer.isBuffer(it)) writeFileSync(path, it);
  else if ("link" in it) symlinkSync(it.link, path);
  else if ("dir" in it) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, it.dir);
  } else {
    writeFileSync(path, it.text);
    // Changing the owner takes set-uid away.
    if (it.uid !== undefined) lchownSync(path, it.uid, 0);
    if (it.mode !== undefined) chmodSync(path, it.mode);
  }
}

/** What the checks see of it, with nothing to compare with. */
export function subjectOf(root: string, known: Partial<Subject> = {}): Subject {
  return {
    tree: walkTree(root, { mountPoints: new Set() }),
    rootKind: "alternative",
    arch: "x64",
    packages: { missing: "no package database was found" },
    base: { missing: "needs --base" },
    image: { missing: "needs --image" },
    ...known,
  };
}
