// The layers that people put on top of a system: some configuration, and an application of 3,000 files.
import { type ArchiveEntry, formatTar } from "../../xtask/archive/archive.ts";
import { fileContent, fileSizes } from "./noise.ts";

const FILES = 3000;
const SIZE_BYTES = 60_000_000;
const FILES_OF_FOLDER = 60;
/** Every tenth folder holds plugins, which the changed policy labels differently. */
export const PLUGINS = "/usr/lib/application/plugins";

export function configurationLayer(): Buffer {
  const names = Array.from({ length: 20 }, (_, i) => `etc/application/part-${i}.conf`);
  return formatTar(
    names.map((path, i) => entryOf(path, fileContent(1000 + i, 800))),
    0,
  );
}

/** The application; every file of another release has other content. */
export function applicationLayer(release: number): Buffer {
  const sizes = fileSizes(FILES, SIZE_BYTES, 17);
  const entries = sizes.map((size, i) => {
    const folder = Math.floor(i / FILES_OF_FOLDER);
    const top = folder % 10 === 0 ? PLUGINS.slice(1) : "usr/lib/application/parts";
    return entryOf(`${top}/d${folder}/file-${i}.dat`, fileContent(release * 10_000 + i, size));
  });
  return formatTar(entries, 0);
}

function entryOf(path: string, bytes: Buffer): ArchiveEntry {
  return { path, content: { kind: "bytes", bytes } };
}
