// An ostree repository written as files, with images and layers as a pull leaves them, all of them empty.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { formatImageReference, type ImageReference } from "../image/reference.ts";
import { objectPath, sha256 } from "../ostree/objects.ts";
import { blobRef, imageRef } from "../ostree/ref-names.ts";
import { IMAGE_KEYS } from "../repository/image-commit.ts";
import { EMPTY_COMMIT, EMPTY_COMMIT_FILES, formatEmptyCommit } from "./empty-commit.ts";

export interface FileRepository {
  readonly repo: string;
  write(path: string, content: string | Uint8Array): Promise<void>;
  setRef(ref: string, commit: string): Promise<void>;
  /** Stores the image with all its layers; the checksum of its merge commit. */
  store(image: ImageReference, content: ImageTexts): Promise<string>;
}

/** An image as a registry serves it. */
export interface ImageTexts {
  readonly manifestDigest: string;
  readonly manifest: string;
  readonly config: string;
  readonly layers: readonly string[];
}

export async function makeFileRepository(): Promise<FileRepository> {
  const repo = await mkdtemp(join(tmpdir(), "file-repository-"));
  onTestFinished(() => rm(repo, { recursive: true, force: true }));
  const write = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(repo, path)), { recursive: true });
    await writeFile(join(repo, path), content);
  };
  const setRef = (ref: string, commit: string) => write(`refs/heads/${ref}`, `${commit}\n`);
  await write("config", "[core]\nrepo_version=1\nmode=bare\n");
  for (const [path, bytes] of Object.entries(EMPTY_COMMIT_FILES)) await write(path, bytes);
  return {
    repo,
    write,
    setRef,
    async store(image, content) {
      const bytes = mergeCommit(content);
      const commit = sha256(bytes);
      await write(objectPath(commit, "commit"), bytes);
      await setRef(imageRef(formatImageReference(image)), commit);
      for (const it of content.layers) await setRef(blobRef(it), EMPTY_COMMIT);
      return commit;
    },
  };
}

function mergeCommit({ manifestDigest, manifest, config }: ImageTexts): Buffer {
  return formatEmptyCommit({
    [IMAGE_KEYS.config]: config,
    [IMAGE_KEYS.manifest]: manifest,
    [IMAGE_KEYS.manifestDigest]: manifestDigest,
  });
}

export interface MadeLayer {
  readonly digest: string;
  readonly diffId: string;
  readonly sizeBytes: number;
}

/** A layer with digests made from its name; another `packing` gives the same diff-id under another digest. */
export function makeLayer(name: string, packing = "gzip"): MadeLayer {
  return { digest: digestOf(`${name}.${packing}`), diffId: digestOf(name), sizeBytes: 100 };
}

/** An image of `layers`; an `annotation` makes another manifest with the same configuration. */
export function makeImage(
  layers: readonly MadeLayer[],
  more: { readonly annotation?: string; readonly labels?: Readonly<Record<string, string>> } = {},
): ImageTexts {
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Labels: more.labels ?? {} },
    rootfs: { type: "layers", diff_ids: layers.map((it) => it.diffId) },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: digestOf(config),
      size: config.length,
    },
    layers: layers.map(({ digest, sizeBytes }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest,
      size: sizeBytes,
    })),
    ...(more.annotation === undefined ? {} : { annotations: { a: more.annotation } }),
  });
  const digests = layers.map((it) => it.digest);
  return { manifestDigest: digestOf(manifest), manifest, config, layers: digests };
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
