// The versions of an operating system between which recordings update: with a kernel, an initramfs, many files in
// `/usr` and changes in `/etc`, all of whose content is known. They are small, unless they have to boot.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeTree } from "../repo/deployed-images.ts";
import { createRandom, randomBytes } from "../repo/images/random.ts";
import { makeTinyImage } from "../repo/tiny-image.ts";

/** What `/boot` has of a version, by digest. */
export interface BootFiles {
  readonly kernel: string;
  readonly initramfs: string;
}

type Contents = Readonly<Record<string, string | Uint8Array>>;

/** What a version needs to boot. */
export interface BootParts {
  /** Layers that all versions share, as tar. */
  readonly layers: readonly Buffer[];
  readonly kernel: Uint8Array;
  readonly initramfs: Uint8Array;
  /** Of all of the above. */
  readonly digest: string;
}

interface OsImage {
  readonly version: number;
  /** More files than it has anyway. */
  readonly files?: Contents;
  /** Without them, the image does not boot. */
  readonly parts?: BootParts | undefined;
}

const KERNEL = "/usr/lib/modules/6.1.0/vmlinuz";
const INITRAMFS = "/usr/lib/modules/6.1.0/initramfs.img";

/**
 * Makes `oci:DIR:latest`. With the files of an SELinux policy, the image also has a `semodule`, which ostree asks for its
 * options.
 */
export async function makeOsImage(
  dir: string,
  { version, files = {}, parts }: OsImage,
): Promise<BootFiles> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const own = { ...ownFiles(version), ...(parts && bootFiles(version, parts)), ...files };
  const hasPolicy = "/etc/selinux/config" in files;
  const labels = { "org.opencontainers.image.version": String(version) };
  if (parts === undefined) {
    await makeTinyImage(dir, "latest", { layers: [commonLayer(hasPolicy), own], labels });
  } else {
    // Not compressed, which would take longer than everything else; and versions share them.
    await shareBlobs(dir);
    const pack = (blob: Buffer) => ({ blob, suffix: "" }) as const;
    const layers = [...parts.layers, ...(hasPolicy ? [semoduleLayer()] : []), own];
    await makeTinyImage(dir, "latest", { layers, labels, pack });
  }
  return { kernel: digestOf(own[KERNEL]), initramfs: digestOf(own[INITRAMFS]) };
}

async function shareBlobs(dir: string): Promise<void> {
  await mkdir(join(dir, "../blobs"), { recursive: true });
  await symlink("../blobs", join(dir, "blobs"));
}

/** A kernel ignores what follows its program, and zeros after its initramfs. So each version has its own. */
function bootFiles(version: number, { kernel, initramfs }: BootParts): Contents {
  const tail = randomBytes(createRandom(version), 100_000);
  return {
    [KERNEL]: Buffer.concat([kernel, tail]),
    [INITRAMFS]: Buffer.concat([initramfs, Buffer.alloc(4 * version)]),
  };
}

/** The image's own `true`: a program of this machine would need this machine's libraries. */
function semoduleLayer(): Buffer {
  return withTree((dir) => {
    mkdirSync(join(dir, "usr/sbin"), { recursive: true });
    symlinkSync("../bin/true", join(dir, "usr/sbin/semodule"));
  });
}

/** The layer that all versions share. */
function commonLayer(hasPolicy: boolean): Buffer {
  return withTree((dir) => {
    makeTree(dir, {
      version: "the same in all",
      files: {
        "usr/lib/ostree/prepare-root.conf": "[sysroot]\nreadonly=true\n",
        "etc/changed-here": "from the image\n",
      },
    });
    if (hasPolicy) copyProgram(dir, "/usr/bin/true", "usr/sbin/semodule");
  });
}

/** The tree that `fill` makes, as a tar; the same for the same tree. */
export function withTree(fill: (dir: string) => void): Buffer {
  const dir = mkdtempSync(join(tmpdir(), "bootc-tree-"));
  try {
    fill(dir);
    const words = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C", dir, "-cf", "-"];
    return execFileSync("tar", [...words, "."], { maxBuffer: 1 << 30 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** With the libraries that it needs. */
function copyProgram(tree: string, program: string, name: string): void {
  const listed = execFileSync("ldd", [program], { encoding: "utf8" });
  const copies = [[program, name], ...(listed.match(/\/\S+/g) ?? []).map((it) => [it, `.${it}`])];
  for (const [from = "", to = ""] of copies) {
    const target = join(tree, to.replace(/^\.\/(?!usr\/)/, "usr/"));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(from, target);
  }
}

function ownFiles(version: number): Contents {
  const random = createRandom(version);
  const some = Array.from({ length: 60 }, (_, i) => [
    `/usr/share/many/${i % 7}/${i}`,
    randomBytes(random, 100 + random(12_000)),
  ]);
  return {
    [KERNEL]: randomBytes(random, 600_000),
    [INITRAMFS]: randomBytes(random, 900_000),
    "/usr/share/large": randomBytes(random, 500_000),
    "/usr/share/version": `${version}\n`,
    "/usr/lib/os-release": `NAME=Test\nPRETTY_NAME="Test ${version}"\nID=test\n`,
    "/etc/follows": `${version}\n`,
    [`/etc/only-in-${version}`]: "new\n",
    ...Object.fromEntries(some),
  };
}

export function digestOf(content: string | Uint8Array | undefined): string {
  return createHash("sha256")
    .update(content ?? "")
    .digest("hex");
}

/** A shell command that makes an image, by its directory, the one that a booted system follows. */
export function offering(image: string): string {
  return `ln -sfn ${image} /run/os`;
}
