// Bootable images in a registry: the smallest tree that ostree deploys, in two layers.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeTree, type TreeOptions } from "./deployed-images.ts";
import { formatTar, writeBlob } from "./tiny-image.ts";

export interface PushOptions extends TreeOptions {
  /** Leaves out the label that makes the image bootable. */
  readonly isUnbootable?: boolean;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
}

const OCI = "application/vnd.oci.image";

/** Pushes an image and returns the digest of its manifest. `to` is `ADDRESS/NAME:TAG`. */
export async function pushImage(to: string, options: PushOptions): Promise<string> {
  const dir = mkdtempSync("/var/tmp/bootc-image-");
  try {
    const descriptor = await writeImage(dir, options);
    const index = { schemaVersion: 2, manifests: [descriptor] };
    await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(dir, "index.json"), JSON.stringify(index));
    execFileSync("skopeo", [
      "copy",
      "--quiet",
      "--dest-tls-verify=false",
      `oci:${dir}`,
      `docker://${to}`,
    ]);
    return descriptor.digest;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function writeImage(dir: string, options: PushOptions) {
  makeTree(join(dir, "tree"), { ...options, version: "the same in all" });
  const tars = [
    execFileSync("tar", ["--sort=name", "--mtime=@0", "-C", join(dir, "tree"), "-cf", "-", "."], {
      maxBuffer: 1 << 26,
    }),
    formatTar({ "/usr/share/version": options.version }),
  ];
  const layers = [];
  for (const tar of tars) {
    layers.push(await writeBlob(dir, `${OCI}.layer.v1.tar+gzip`, gzipSync(tar)));
  }
  const config = {
    architecture: "amd64",
    os: "linux",
    created: "2026-11-23T12:00:00Z",
    config: {
      Labels: {
        ...(options.isUnbootable ? {} : { "containers.bootc": "1" }),
        "org.opencontainers.image.version": options.version,
      },
    },
    rootfs: {
      type: "layers",
      diff_ids: tars.map((it) => `sha256:${createHash("sha256").update(it).digest("hex")}`),
    },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: await writeBlob(dir, `${OCI}.config.v1+json`, JSON.stringify(config)),
    layers,
    annotations: options.annotations,
  };
  return await writeBlob(dir, manifest.mediaType, JSON.stringify(manifest));
}
