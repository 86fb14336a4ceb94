// Writes tars for tests, independently of the product: POSIX headers, with PAX records where needed.

export interface TestEntry {
  readonly path: string;
  /** A file by default. */
  readonly type?: "file" | "directory" | "symlink" | "hardlink" | "character" | "fifo";
  readonly content?: string | Buffer;
  /** Target of a symbolic or hard link. */
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly xattrs?: Readonly<Record<string, string | Buffer>>;
  /** Further records of the extended header. */
  readonly records?: Records;
}

export type Records = readonly (readonly [key: string, value: string | Buffer])[];

const FLAGS = { file: "0", hardlink: "1", symlink: "2", character: "3", directory: "5", fifo: "6" };

export function dir(path: string, more: Partial<TestEntry> = {}): TestEntry {
  return { path, type: "directory", mode: 0o755, ...more };
}

export function file(
  path: string,
  content: string | Buffer = "",
  more: Partial<TestEntry> = {},
): TestEntry {
  return { path, content, ...more };
}

export function symlink(path: string, link: string, more: Partial<TestEntry> = {}): TestEntry {
  return { path, type: "symlink", link, mode: 0o777, ...more };
}

export function hardlink(path: string, link: string, more: Partial<TestEntry> = {}): TestEntry {
  return { path, type: "hardlink", link, ...more };
}

/** The entries as a tar with its end marker. */
export function makeTar(entries: readonly TestEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(1024)]);
}

export function entryBlocks(entry: TestEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? "");
  const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
  const link = entry.link ?? "";
  const records: (readonly [string, string | Buffer])[] = [...(entry.records ?? [])];
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) {
    records.push([`SCHILY.xattr.${name}`, value]);
  }
  if (isSpecial(path)) records.push(["path", path]);
  if (isSpecial(link)) records.push(["linkpath", link]);
  for (const key of ["uid", "gid"] as const) {
    if ((entry[key] ?? 0) > 0o7777777) records.push([key, String(entry[key])]);
  }
  const extension = records.length === 0 ? [] : [extendedHeader("x", records)];
  const header = block(FLAGS[entry.type ?? "file"], {
    path,
    link,
    size: content.length,
    mode: entry.mode ?? 0o644,
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    mtime: entry.mtime ?? 1_700_000_000,
  });
  return [...extension, header, ...(content.length === 0 ? [] : [padded(content)])];
}

/** `x` for the next entry, `g` for all. */
export function extendedHeader(flag: "x" | "g", records: Records): Buffer {
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, Buffer.from(value))));
  return Buffer.concat([block(flag, { path: "pax", size: body.length }), padded(body)]);
}

function isSpecial(text: string): boolean {
  return Buffer.byteLength(text) > 100 || Buffer.byteLength(text) !== text.length;
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  const digits = [1, 2, 3, 4, 5, 6].find((it) => String(rest.length + it).length === it) ?? 7;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

interface BlockFields {
  readonly path: string;
  readonly link?: string;
  readonly size: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
}

function block(flag: string, it: BlockFields): Buffer {
  const bytes = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    void bytes.write(value.toString(8).padStart(width, "0"), at);
  bytes.write(it.path.slice(0, 100), 0, 100);
  octal(it.mode ?? 0o644, 100, 7);
  octal((it.uid ?? 0) & 0o7777777, 108, 7);
  octal((it.gid ?? 0) & 0o7777777, 116, 7);
  octal(it.size, 124, 11);
  octal(it.mtime ?? 0, 136, 11);
  bytes.write(flag, 156);
  bytes.write((it.link ?? "").slice(0, 100), 157, 100);
  bytes.write("ustar\x0000", 257, "latin1");
  bytes.fill(0x20, 148, 156);
  bytes.write(
    `${bytes
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return bytes;
}
