// Generated images: a given number of layers, files and bytes, identical on every machine.
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { type ArchiveEntry, formatTar } from "../../xtask/archive/archive.ts";
import { makeEncapsulatedBase } from "./encapsulated-base.ts";
import { createLayout, digestOf } from "./layout.ts";
import { fileContent, fileSizes } from "./noise.ts";

/** Only file system differences, or an ostree commit in chunks with such layers on top. */
export type ImageKind = "derived" | "encapsulated";

export interface ImageShape {
  readonly kind: ImageKind;
  readonly layers: number;
  /** Number of files in all layers. */
  readonly files: number;
  /** Uncompressed size of all layers. */
  readonly sizeBytes: number;
  /** The index of a layer whose content differs from that of the same image without this option. */
  readonly changedLayer?: number;
}

/** The image's name in its layout. */
export const SYNTHETIC = "image";

/** Writes the image as an OCI layout at `folder`, unless the folder exists. */
export async function writeSyntheticImage(folder: string, shape: ImageShape): Promise<void> {
  if (existsSync(folder)) return;
  const temp = `${folder}.part`;
  await rm(temp, { recursive: true, force: true });
  const { tars, labels } = await makeLayers(shape);
  await (await createLayout(temp)).add({ name: SYNTHETIC, tars, labels: () => labels });
  await rename(temp, folder);
}

interface Layers {
  readonly tars: Iterable<Buffer>;
  readonly labels: Readonly<Record<string, string>>;
}

/** An eighth of an encapsulated image's layers are derived, as in the images that people build. */
async function makeLayers(shape: ImageShape): Promise<Layers> {
  const tarOf = (index: number) => formatTar(layerEntries(index, shape), 0);
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  if (shape.kind === "derived") {
    return { tars: range(0, shape.layers).values().map(tarOf), labels: {} };
  }
  const inBase = shape.layers - Math.max(1, Math.floor(shape.layers / 8));
  const entries = range(0, inBase).flatMap((index) => layerEntries(index, shape));
  const base = await makeEncapsulatedBase(inCommit(entries), inBase - 1);
  return {
    tars: base.tars.concat(range(inBase, shape.layers).map(tarOf)),
    labels: { "ostree.commit": base.commit, "ostree.final-diffid": digestOf(base.lastTar) },
  };
}

/** The entries as ostree commits have them: a system's default configuration is in /usr/etc. */
function inCommit(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  return entries.map((entry) => ({ ...entry, path: entry.path.replace(/^etc\//, "usr/etc/") }));
}

/** One layer's share: files of mixed sizes below /usr and a few in /etc, some sixty in each folder. */
function layerEntries(index: number, shape: ImageShape): readonly ArchiveEntry[] {
  const files = Math.ceil(shape.files / shape.layers);
  const isChanged = index === shape.changedLayer;
  const seed = index * 2_654_435_761 + (isChanged ? 97 : 1);
  const sizes = fileSizes(files, shape.sizeBytes / shape.layers, seed);
  const entries = sizes.map((size, i): ArchiveEntry => {
    const top = i % 100 === 99 ? "etc" : "usr/share";
    const path = `${top}/layer-${index}/d${Math.floor(i / 60)}/file-${i}.dat`;
    return { path, content: { kind: "bytes", bytes: fileContent(seed + i, size) } };
  });
  return index === 0 ? [...entries, ...kernelEntries()] : entries;
}

function kernelEntries(): readonly ArchiveEntry[] {
  const folder = "usr/lib/modules/6.0.0-bench";
  return ["vmlinuz", "initramfs.img"].map((name, i) => ({
    path: `${folder}/${name}`,
    content: { kind: "bytes", bytes: fileContent(i + 7, 100_000) },
  }));
}
