// Archives whose bytes depend on their content alone: one tar writer, one way to compress.
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, open, readdir, readlink, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PassThrough, Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { BootcError, kindOf } from "../../src/errors.ts";

/** One file of an archive; the folders above it need no entry of their own. */
export interface ArchiveEntry {
  /** Where it lies in the archive: relative, parts separated by `/`. */
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
   * Binary logarithm of the window zstd looks back in, 27 at most (what `zstd -d` takes unasked).
   * Pays when the content repeats itself far apart, as two builds of one program do.
   */
  readonly windowLog?: number;
  /** zstd's level; 19 when not given. */
  readonly level?: number;
  readonly signal?: AbortSignal;
}

const BLOCK = 512;
const CHUNK = 1 << 20;

/** Writes an archive of `entries` to `path`, which appears whole or not at all. */
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
      // Why it was aborted says more than that it was.
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

/** The tar of `entries`, uncompressed, in memory; all contents must be bytes, links or folders. */
export function formatTar(entries: readonly ArchiveEntry[], mtimeEpoch: number): Buffer {
  const parts = withFolders(entries).flatMap((entry) => {
    const { content } = entry;
    if (content.kind === "file") throw new Error(`unreachable: \`${entry.path}\` is not in memory`);
    const bytes = content.kind === "bytes" ? content.bytes : Buffer.alloc(0);
    return [formatHeader(entry, bytes.length, mtimeEpoch), bytes, padding(bytes.length)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** Everything below `folder` as entries below `prefix`; modes are read as executable or not. */
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

/**
 * Has `write` make a temporary file next to `path`, then gives it its name: nobody ever sees half
 * of it. The folder is made when it is missing; the temporary file is gone after a failure.
 */
export async function writeWhole(
  path: string,
  write: (temp: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temp = join(dirname(path), `.${basename(path)}.${process.pid}-${sequence++}`);
  try {
    await write(temp);
    await syncFile(temp);
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    if (kindOf(error) !== "space") throw error;
    throw new BootcError(`cannot write \`${path}\``, {
      cause: error,
      hint: `make room in \`${dirname(path)}\`, then run it again`,
    });
  }
}

/** Two writers of one process must not share a temporary name. */
let sequence = 0;

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  await file.sync().finally(() => file.close());
}

interface SizedEntry extends ArchiveEntry {
  readonly sizeBytes: number;
}

/** Sorted by name, with every folder on the way, each path once. */
function withFolders(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const byPath = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    requireRelative(entry.path);
    const known = byPath.get(entry.path);
    if (known !== undefined && !(isFolder(known) && isFolder(entry)))
      throw new BootcError(`\`${entry.path}\` is twice in the archive`);
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
    throw new BootcError(`\`${path}\` is no path for an archive`);
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

/** GNU tar's format: every tar reads it, and names of any length need one mechanism only. */
function formatHeader(entry: ArchiveEntry, sizeBytes: number, mtimeEpoch: number): Buffer {
  const { content } = entry;
  const name = Buffer.from(content.kind === "folder" ? `${entry.path}/` : entry.path);
  const link = Buffer.from(content.kind === "link" ? content.target : "");
  return Buffer.concat([
    ...(link.length > 100 ? formatLongName("K", link, mtimeEpoch) : []),
    ...(name.length > 100 ? formatLongName("L", name, mtimeEpoch) : []),
    formatBlock({
      name: name.subarray(0, 100),
      link: link.subarray(0, 100),
      mode:
        content.kind === "folder" || entry.isExecutable
          ? 0o755
          : content.kind === "link"
            ? 0o777
            : 0o644,
      sizeBytes,
      mtimeEpoch,
      type: content.kind === "folder" ? "5" : content.kind === "link" ? "2" : "0",
    }),
  ]);
}

function formatLongName(type: "K" | "L", name: Buffer, mtimeEpoch: number): readonly Buffer[] {
  const bytes = Buffer.concat([name, Buffer.alloc(1)]);
  const header = { name: Buffer.from("././@LongLink"), link: Buffer.alloc(0), mode: 0o644 };
  return [
    formatBlock({ ...header, sizeBytes: bytes.length, mtimeEpoch, type }),
    bytes,
    padding(bytes.length),
  ];
}

interface HeaderFields {
  readonly name: Buffer;
  readonly link: Buffer;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeEpoch: number;
  readonly type: string;
}

/** Offsets as in tar(5), "GNU tar archives". Owner and group are 0, without names. */
function formatBlock(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  fields.name.copy(block, 0);
  writeOctal(block, 100, 8, fields.mode);
  writeOctal(block, 108, 8, 0);
  writeOctal(block, 116, 8, 0);
  writeOctal(block, 124, 12, fields.sizeBytes);
  writeOctal(block, 136, 12, fields.mtimeEpoch);
  block.write("        ", 148, "latin1");
  block.write(fields.type, 156, "latin1");
  fields.link.copy(block, 157);
  block.write("ustar  \0", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function writeOctal(block: Buffer, offset: number, length: number, value: number): void {
  const text = value.toString(8).padStart(length - 1, "0");
  if (value < 0 || text.length >= length)
    throw new BootcError(`${value} does not fit into a tar header`);
  block.write(`${text}\0`, offset, "latin1");
}

/** One thread, and the size told beforehand: the same bytes whatever the machine. */
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
