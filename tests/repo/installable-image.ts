// An installable image: a tree that ostree deploys, with a stand-in for bootupctl that records its arguments.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeTree } from "./deployed-images.ts";
import { writeBlob } from "./tiny-image.ts";

export interface InstallableImage {
  readonly version: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Symbolic links and their targets. */
  readonly links?: Readonly<Record<string, string>>;
  readonly kargs?: Readonly<Record<string, string>>;
  /** With bootupd's files and a program that writes its arguments to /boot/bootupctl.log. */
  readonly bootupd?: "new" | "old";
  /** Executable shell scripts, by path. They need `bootupd`, which brings the shell. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** Leaves out the label that makes the image bootable. */
  readonly isUnlabelled?: boolean;
}

/** Makes `oci:DIR` and returns that name. */
export async function makeInstallableImage(dir: string, image: InstallableImage): Promise<string> {
  const tree = mkdtempSync(join(tmpdir(), "bootc-tree-"));
  try {
    makeTree(tree, {
      version: image.version,
      ...(image.kargs === undefined ? {} : { kargs: image.kargs }),
      ...(image.links === undefined ? {} : { links: image.links }),
      files: { "usr/lib/ostree/prepare-root.conf": "[sysroot]\nreadonly=true\n", ...image.files },
    });
    rmSync(join(tree, "root"), { recursive: true });
    symlinkSync("var/roothome", join(tree, "root"));
    for (const [path, text] of Object.entries(image.scripts ?? {})) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), text, { mode: 0o755 });
    }
    if (image.bootupd !== undefined) await addBootupd(tree, image.bootupd);
    const tar = join(tree, "../", `${tree.split("/").at(-1)}.tar`);
    execFileSync("tar", ["-cf", tar, "--owner=0", "--group=0", "-C", tree, "."]);
    await writeLayout(dir, await readFile(tar), image);
    rmSync(tar);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  return `oci:${dir}:latest`;
}

async function addBootupd(tree: string, kind: "new" | "old"): Promise<void> {
  const help = kind === "new" ? "--filesystem <FILESYSTEM>" : "--device <DEVICE>";
  const program = join(tree, "usr/bin/bootupctl");
  mkdirSync(join(tree, "usr/lib/bootupd/updates"), { recursive: true });
  await writeFile(join(tree, "usr/lib/bootupd/updates/EFI.json"), "{}");
  mkdirSync(dirname(program), { recursive: true });
  await writeFile(
    program,
    `#!/bin/sh\nfor it; do [ "$it" = --help ] && { echo '${help}'; exit 0; }; done\n` +
      'echo "$@" >> /boot/bootupctl.log\n[ -e /sysroot/ostree ] || exit 9\n' +
      "[ ! -d /boot/efi ] || echo 'a boot loader' > /boot/efi/grubx64.efi\n",
  );
  chmodSync(program, 0o755);
  copyProgram(tree, "/bin/sh");
}

/** Copies a program of this machine with the libraries it is linked to. */
function copyProgram(tree: string, program: string): void {
  for (const it of ["bin", "lib", "lib64"]) mkdirSync(join(tree, "usr", it), { recursive: true });
  const listed = execFileSync("ldd", [program], { encoding: "utf8" });
  const libraries = listed.match(/\/\S+/g) ?? [];
  for (const path of [program, ...libraries]) {
    const target = join(tree, path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
    chmodSync(target, 0o755);
  }
}

async function writeLayout(dir: string, tar: Buffer, image: InstallableImage): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const layerType = "application/vnd.oci.image.layer.v1.tar";
  const layer = await writeBlob(dir, layerType, tar);
  const labels = {
    ...(image.isUnlabelled ? {} : { "containers.bootc": "1" }),
    "org.opencontainers.image.version": image.version,
  };
  const config = await writeBlob(
    dir,
    "application/vnd.oci.image.config.v1+json",
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      created: "2026-01-01T00:00:00Z",
      config: { Labels: labels },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
      history: [{ created_by: "a tree" }],
    }),
  );
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = { schemaVersion: 2, mediaType: type, config, layers: [layer] };
  const descriptor = await writeBlob(dir, type, JSON.stringify(manifest));
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const index = { schemaVersion: 2, manifests: [{ ...descriptor, annotations }] };
  await writeFile(join(dir, "index.json"), JSON.stringify(index));
}
