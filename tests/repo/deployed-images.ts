// Trees that ostree can deploy, and commits that look like those of a pulled image.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SimulatedHost } from "./simulated-boot.ts";

export interface TreeOptions {
  /** Written to files and to the version's label. */
  readonly version: string;
  /** `kargs.d` file names and their texts. */
  readonly kargs?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Symbolic links and their targets. */
  readonly links?: Readonly<Record<string, string>>;
}

/** Makes the smallest tree that ostree deploys and that works with the machine's own /usr. */
export function makeTree(dir: string, options: TreeOptions): void {
  for (const it of ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var", "root", "etc"]) {
    mkdirSync(join(dir, it), { recursive: true });
  }
  for (const it of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${it}`, join(dir, it));
  symlinkSync("sysroot/ostree", join(dir, "ostree"));
  const files = {
    "usr/lib/os-release": `NAME=Test\nPRETTY_NAME="Test ${options.version}"\nID=test\n`,
    "usr/lib/modules/6.1.0/vmlinuz": "a kernel",
    "usr/lib/modules/6.1.0/initramfs.img": "an initramfs",
    "etc/containers/policy.json": '{"default":[{"type":"insecureAcceptAnything"}]}',
    "usr/share/version": options.version,
    ...Object.fromEntries(
      Object.entries(options.kargs ?? {}).map(([name, text]) => [
        `usr/lib/bootc/kargs.d/${name}`,
        text,
      ]),
    ),
    ...options.files,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  for (const [name, target] of Object.entries(options.links ?? {})) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    symlinkSync(target, join(dir, name));
  }
}

export interface StoredImage {
  readonly commit: string;
  readonly digest: string;
  readonly origin: string;
}

/** Commits a tree with the metadata and refs that the pull of an image leaves. */
export function storeImage(host: SimulatedHost, name: string, options: TreeOptions): StoredImage {
  const dir = mkdtempSync("/var/tmp/bootc-tree-");
  try {
    makeTree(join(dir, "tree"), options);
    // ostree takes /etc from /usr/etc.
    host.outside("mv", join(dir, "tree/etc"), join(dir, "tree/usr/etc"));
    const layer = `sha256:${sha256(`layer of ${name} ${options.version}`)}`;
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: "x", digest: layer, size: 1 },
      layers: [{ mediaType: "x", digest: layer, size: 1234 }],
    });
    const digest = `sha256:${sha256(manifest)}`;
    const config = JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created: "2026-11-23T12:00:00Z",
      config: { Labels: { "containers.bootc": "1", version: options.version } },
      rootfs: { type: "layers", diff_ids: [layer] },
    });
    const commit = host
      .outside(
        "ostree",
        "commit",
        `--repo=${host.repo}`,
        `--branch=ostree/container/image/docker_3A__2F__2F_${name}_3A_latest`,
        "--no-bindings",
        `--add-metadata-string=ostree.manifest-digest=${digest}`,
        `--add-metadata-string=ostree.manifest=${manifest}`,
        `--add-metadata-string=ostree.container.image-config=${config}`,
        `--tree=dir=${join(dir, "tree")}`,
      )
      .trim();
    const ref = `ostree/container/blob/${layer.replace(":", "_3A_")}`;
    host.outside("ostree", "refs", `--repo=${host.repo}`, `--create=${ref}`, commit);
    return { commit, digest, origin: `ostree-unverified-registry:${name}:latest` };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Deploys a commit from outside, as an installer does. */
export function deploy(host: SimulatedHost, image: StoredImage, kargs: readonly string[]): void {
  const origin = `${host.sysroot}.origin`;
  writeFileSync(origin, `[origin]\ncontainer-image-reference=${image.origin}\n`);
  host.outside(
    "ostree",
    "admin",
    "deploy",
    `--sysroot=${host.sysroot}`,
    "--os=default",
    `--origin-file=${origin}`,
    ...kargs.map((it) => `--karg=${it}`),
    image.commit,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
