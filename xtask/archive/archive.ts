// Archives whose bytes depend only on their content: one tar writer, one way to compress.
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PassThrough, Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { Header, Pax } from "tar";
import { BootcError } from "../../src/errors.ts";
import { sha256Of } from "./digest.ts";
import { writeWhole } from "./write-whole.ts";

/** A file in an archive; the folders above it need no entries. */
export interface ArchiveEntry {
  /** Its path in the archive: relative, with `/` between the parts. */
  readonly path: string;
  readonly content:
    | { readonly kind: "bytes"; readonly bytes: Uint8Array }
    | { readonly kind: "file"; readonly from: string }
    | { readonly kind: "link"; readonly target: string }
    | { readonly kind: "folder" };
  readonly isExecutable?: boolean;
}

export type ArchiveFormat = "tar" | "tar.gz" | "tar.zst";

export interface ArchiveOptions {
  readonly format: ArchiveFormat;
  /** Modification time of every entry, in seconds since 1970. */
  readonly mtimeEpoch: number;
  /**
   * Binary logarithm of the window in which zstd looks back, at most 27 (what `zstd -d` accepts by default).
   * A large one pays when content repeats itself far apart, as two builds of one program do.
   */
  readonly windowLog?: number;
  /** zstd's level; 19 by default. */
  readonly level?: number;
  readonly signal?: AbortSignal;
}

const BLOCK = 512;
const CHUNK = 1 << 20;

/** Writes an archive of `entries` to `path`, which appears complete or not at all. */
export async function writeArchive(
  path: string,
  entries: readonly ArchiveEntry[],
  options: ArchiveOptions,
): Promise<void> {
  const sized = await measure(withFolders(entries));
  const total = sized.reduce((sum, it) => sum + sizeInTar(it), 2 * BLOCK);
  await writeWhole(path, async (temp) => {
    const source = Readable.from(tarChunks(sized, options.mtimeEpoch), { objectMode: false });
    const target = createWriteStream(temp, { flush: true });
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const compress = compressor(options, total);
    await pipeline(source, compress, target, signal).catch((error: unknown) => {
      // The reason for the abort says more than the abort itself.
      options.signal?.throwIfAborted();
      throw error;
    });
  });
}

function compressor(options: ArchiveOptions, totalBytes: number): Transform {
  switch (options.format) {
    case "tar":
      return new PassThrough();
    case "tar.gz":
      return createGzip({ level: 9 });
    case "tar.zst":
      return createZstdCompress(zstdOptions(options, totalBytes));
  }
}

/** The uncompressed tar of `entries`, in memory; every content must be bytes, a link or a folder. */
export function formatTar(entries: readonly ArchiveEntry[], mtimeEpoch: number): Buffer {
  const parts = withFolders(entries).flatMap((entry) => {
    const { content } = entry;
    if (content.kind === "file") throw new Error(`unreachable: \`${entry.path}\` is not in memory`);
    const bytes = content.kind === "bytes" ? content.bytes : Buffer.alloc(0);
    return [formatHeader(entry, bytes.length, mtimeEpoch), bytes, padding(bytes.length)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** Changes whenever the same entries would become different bytes; names of cached archives depend on it. */
export function describeWriter(): string {
  const link = { kind: "link", target: "b".repeat(200) } as const;
  const sample = formatTar([{ path: `folder/${"a".repeat(200)}`, content: link }], 1);
  const digest = sha256Of(sample);
  return [digest, process.versions.zlib, process.versions.zstd].join(" ");
}

/** Everything below `folder` as entries below `prefix`; of a mode, only "executable" counts. */
export async function readEntries(
  folder: string,
  prefix: string,
): Promise<readonly ArchiveEntry[]> {
  const found = await readdir(folder, { withFileTypes: true });
  const nested = found.map(async (it): Promise<readonly ArchiveEntry[]> => {
    const from = join(folder, it.name);
    const path = prefix === "" ? it.name : `${prefix}/${it.name}`;
    if (it.isDirectory())
      return [{ path, content: { kind: "folder" } }, ...(await readEntries(from, path))];
    if (it.isSymbolicLink())
      return [{ path, content: { kind: "link", target: await readlink(from) } }];
    const isExecutable = ((await lstat(from)).mode & 0o100) !== 0;
    return [{ path, content: { kind: "file", from }, isExecutable }];
  });
  return (await Promise.all(nested)).flat();
}

interface SizedEntry extends ArchiveEntry {
  readonly sizeBytes: number;
}

/** Sorts by path and adds every folder on the way; each path occurs once. */
function withFolders(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const byPath = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    requireRelative(entry.path);
    const known = byPath.get(entry.path);
    if (known !== undefined && !(isFolder(known) && isFolder(entry)))
      throw new BootcError(`\`${entry.path}\` occurs twice in the archive`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries) {
    for (let at = dirname(path); at !== "." && !byPath.has(at); at = dirname(at))
      byPath.set(at, { path: at, content: { kind: "folder" } });
  }
  return [...byPath.values()].sort((a, b) =>
    Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)),
  );
}

function isFolder(entry: ArchiveEntry): boolean {
  return entry.content.kind === "folder";
}

function requireRelative(path: string): void {
  const parts = path.split("/");
  if (parts.some((it) => it === "" || it === "." || it === ".."))
    throw new BootcError(`\`${path}\` is not a valid path in an archive`);
}

async function measure(entries: readonly ArchiveEntry[]): Promise<readonly SizedEntry[]> {
  return await Promise.all(
    entries.map(async (entry) => ({ ...entry, sizeBytes: await sizeOf(entry) })),
  );
}

async function sizeOf({ content }: ArchiveEntry): Promise<number> {
  if (content.kind === "bytes") return content.bytes.length;
  return content.kind === "file" ? (await lstat(content.from)).size : 0;
}

function sizeInTar(entry: SizedEntry): number {
  const header = formatHeader(entry, entry.sizeBytes, 0).length;
  return header + entry.sizeBytes + padding(entry.sizeBytes).length;
}

async function* tarChunks(
  entries: readonly SizedEntry[],
  mtimeEpoch: number,
): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    yield formatHeader(entry, entry.sizeBytes, mtimeEpoch);
    if (entry.content.kind === "bytes" && entry.sizeBytes > 0) yield entry.content.bytes;
    if (entry.content.kind === "file") yield* fileChunks(entry.content.from, entry.sizeBytes);
    if (entry.sizeBytes % BLOCK > 0) yield padding(entry.sizeBytes);
  }
  yield Buffer.alloc(2 * BLOCK);
}

async function* fileChunks(path: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let left = sizeBytes;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) {
    left -= (chunk as Buffer).length;
    if (left >= 0) yield chunk as Buffer;
  }
  if (left !== 0) throw new BootcError(`\`${path}\` changed while it was being packed`);
}

function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

/** A POSIX header, which every tar reads, with an extended header for what does not fit into it. */
function formatHeader(entry: ArchiveEntry, sizeBytes: number, mtimeEpoch: number): Buffer {
  const { content } = entry;
  const fields = {
    path: content.kind === "folder" ? `${entry.path}/` : entry.path,
    mode: modeOf(entry),
    uid: 0,
    gid: 0,
    size: sizeBytes,
    mtime: new Date(mtimeEpoch * 1000),
    ...(content.kind === "link" ? { linkpath: content.target } : {}),
  };
  const header = new Header(fields);
  header.type = TYPES[content.kind];
  const block = Buffer.alloc(BLOCK);
  const isWhole = !header.encode(block);
  return isWhole ? block : Buffer.concat([new Pax(fields).encode(), block]);
}

const TYPES = { bytes: "File", file: "File", link: "SymbolicLink", folder: "Directory" } as const;

function modeOf({ content, isExecutable }: ArchiveEntry): number {
  if (content.kind === "link") return 0o777;
  return content.kind === "folder" || isExecutable ? 0o755 : 0o644;
}

/** One thread, and a size that is known beforehand, give the same bytes on every machine. */
function zstdOptions(options: ArchiveOptions, totalBytes: number): object {
  const window =
    options.windowLog === undefined
      ? {}
      : {
          [constants.ZSTD_c_windowLog]: options.windowLog,
          [constants.ZSTD_c_enableLongDistanceMatching]: 1,
        };
  return {
    pledgedSrcSize: totalBytes,
    params: {
      [constants.ZSTD_c_compressionLevel]: options.level ?? 19,
      [constants.ZSTD_c_checksumFlag]: 1,
      ...window,
    },
  };
}
