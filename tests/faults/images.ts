// The versions of a small system: every file of it costs some system calls, each of which is a step.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeTree } from "../repo/deployed-images.ts";
import { makeTinyImage } from "../repo/tiny-image.ts";

const TOP = join(import.meta.dirname, "../..");
const VERSIONS = [1, 2, 3];
/** What decides what is in them: images of another recipe are not used. */
const RECIPE = ["images.ts", "../repo/deployed-images.ts", "../repo/tiny-image.ts"]
  .reduce(
    (hash, it) => hash.update(readFileSync(join(import.meta.dirname, it))),
    createHash("sha256"),
  )
  .digest("hex")
  .slice(0, 16);

export function imageDir(version: number): string {
  return join(TOP, `target/faults/images-${RECIPE}`, String(version));
}

/** Makes `oci:DIR:latest` of each version, if there is none. */
export async function makeImages(): Promise<void> {
  for (const version of VERSIONS) {
    const dir = imageDir(version);
    if (existsSync(dir)) continue;
    const unfinished = `${dir}.${process.pid}`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    const labels = { "org.opencontainers.image.version": String(version) };
    await makeTinyImage(unfinished, "latest", {
      layers: [commonLayer(), ownFiles(version)],
      labels,
    });
    await rename(unfinished, dir);
  }
}

/** The layer that all versions share. */
function commonLayer(): Buffer {
  const dir = mkdtempSync(join(tmpdir(), "bootc-tree-"));
  try {
    const files = {
      "usr/lib/ostree/prepare-root.conf": "[sysroot]\nreadonly=true\n",
      "etc/follows": "version 0\n",
    };
    makeTree(dir, { version: "the same in all", files });
    const words = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C", dir, "-cf", "-"];
    return execFileSync("tar", [...words, "."]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function ownFiles(version: number): Readonly<Record<string, string>> {
  return {
    "/usr/lib/os-release": `NAME=Test\nPRETTY_NAME="Test ${version}"\nID=test\n`,
    "/usr/lib/modules/6.1.0/vmlinuz": `kernel ${version}\n`,
    "/usr/lib/modules/6.1.0/initramfs.img": `initramfs ${version}\n`,
    "/usr/share/version": `${version}\n`,
    [`/usr/share/only-in-${version}`]: "new\n",
    "/etc/follows": `version ${version}\n`,
  };
}
