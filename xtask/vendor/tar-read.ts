// Reads package tarballs, as leniently as npm. Depends only on Node, because the offline installer uses it.
import { gunzipSync } from "node:zlib";
import { BootcError } from "../../src/errors.ts";

/** A regular file in a tarball. Links are left out, as by npm. */
export interface TarFile {
  /** Its path in the tarball, with the first folder: `package/index.js`. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly isExecutable: boolean;
}

const BLOCK = 512;

/** The files in a gzipped tarball. Fails if it is damaged, or if a path leads out of it. */
export function readTarball(gzipped: Uint8Array): readonly TarFile[] {
  let tar: Buffer;
  try {
    tar = gunzipSync(gzipped);
  } catch (cause) {
    throw new BootcError("the tarball is damaged", {
      kind: "integrity",
      cause: new BootcError(String(cause)),
    });
  }
  return unpackTar(tar);
}

/** The files in a tar: ustar with the long names of POSIX (pax) and of GNU tar. */
export function unpackTar(tar: Buffer): readonly TarFile[] {
  const files: TarFile[] = [];
  let longPath: string | undefined;
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + BLOCK);
    requireChecksum(header);
    const size = readOctal(header, 124, 12);
    const bytes = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (bytes.length < size) throw damaged("it ends too early");
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "x") longPath = readPaxPath(bytes) ?? longPath;
    else if (type === "L") longPath = readText(bytes, 0, bytes.length);
    else if (type !== "g" && type !== "K") {
      const path = longPath ?? readPath(header);
      longPath = undefined;
      if (type === "0" || type === "\0" || type === "7")
        files.push({ path: requireInside(path), bytes, isExecutable: isExecutable(header) });
    }
  }
  return files;
}

function damaged(why: string): BootcError {
  return new BootcError(`the tarball is damaged: ${why}`, { kind: "integrity" });
}

function requireChecksum(header: Buffer): void {
  const blank = 8 * 0x20;
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0 : byte), blank);
  if (sum !== readOctal(header, 148, 8)) throw damaged("a header's checksum is wrong");
}

function readOctal(header: Buffer, offset: number, length: number): number {
  const text = header
    .toString("latin1", offset, offset + length)
    .replace(/[\0 ]+/g, " ")
    .trim();
  if (/^[0-7]*$/.test(text)) return Number.parseInt(text || "0", 8);
  throw damaged("a number in a header is malformed");
}

function readText(bytes: Buffer, offset: number, length: number): string {
  const text = bytes.toString("utf8", offset, offset + length);
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function readPath(header: Buffer): string {
  const name = readText(header, 0, 100);
  const isPosix = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? readText(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Reads pax(1) records, `LENGTH KEY=VALUE\n`, whose length includes itself. */
function readPaxPath(bytes: Buffer): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space));
    if (space < 0 || !(length > 0)) throw damaged("an extended header is malformed");
    const record = bytes.toString("utf8", space + 1, at + length - 1);
    if (record.startsWith("path=")) path = record.slice("path=".length);
    at += length;
  }
  return path;
}

function isExecutable(header: Buffer): boolean {
  return (readOctal(header, 100, 8) & 0o111) !== 0;
}

function requireInside(path: string): string {
  const parts = path.split("/").filter((it) => it !== "" && it !== ".");
  if (!path.startsWith("/") && !parts.includes("..") && parts.length > 0) return parts.join("/");
  throw new BootcError(`the tarball contains the path \`${path}\`, which leads out of it`, {
    kind: "integrity",
  });
}
