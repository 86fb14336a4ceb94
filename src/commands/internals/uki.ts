// `bootc internals uki extract`: take the kernel and the initramfs out of a unified kernel image.
import { constants, createWriteStream } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { BootcError, doing } from "../../errors.ts";
import {
  parseUkiSections,
  parseUname,
  requireUkiSection,
  UKI_HEADER_BYTES,
  type UkiSection,
} from "../../host/boot/uki.ts";
import type { Context } from "../../system/context.ts";
import { flushDirectory, ifMissing, makeDirectories } from "../../system/files.ts";

/** Which file each section becomes. */
const FILES = { ".linux": "vmlinuz", ".initrd": "initramfs.img" } as const;

/** Writes both into `OUT/VERSION`, which appears when it is complete. */
export async function ukiExtract(ctx: Context, path: string, output: string): Promise<void> {
  const file = await doing(`reading \`${path}\``, () =>
    open(path, constants.O_RDONLY | constants.O_NONBLOCK),
  );
  try {
    const sections = await doing(`reading \`${path}\``, () => readSections(file));
    const dir = join(output, sections.version);
    if ((await lstat(dir).catch(ifMissing(undefined))) !== undefined) throw existing(dir);
    await makeDirectories(output);
    const temporary = join(output, `.${sections.version}.${process.pid}.tmp`);
    try {
      await mkdir(temporary);
      for (const [name, section] of sections.parts) {
        await copySection(file, section, join(temporary, name));
      }
      await flushDirectory(temporary);
      await rename(temporary, dir);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    await flushDirectory(output);
    ctx.note(`extracted to \`${dir}\``);
  } finally {
    await file.close();
  }
}

function existing(dir: string): BootcError {
  return new BootcError(`\`${dir}\` exists`, {
    kind: "usage",
    hint: "remove it, or name another directory",
  });
}

async function readSections(file: FileHandle) {
  const found = await file.stat();
  if (!found.isFile()) throw new BootcError("it is not a regular file", { kind: "usage" });
  const header = await readRange(file, { offset: 0, sizeBytes: UKI_HEADER_BYTES });
  const sections = parseUkiSections(header, found.size);
  const uname = requireUkiSection(sections, ".uname");
  const version = parseUname(
    await readRange(file, { ...uname, sizeBytes: Math.min(uname.sizeBytes, 256) }),
  );
  const parts = Object.entries(FILES).map(
    ([name, part]) => [part, requireUkiSection(sections, name)] as const,
  );
  return { version, parts };
}

type Range = Pick<UkiSection, "offset" | "sizeBytes">;

async function readRange(file: FileHandle, { offset, sizeBytes }: Range): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
  return buffer.subarray(0, bytesRead);
}

async function copySection(file: FileHandle, { offset, sizeBytes }: Range, to: string) {
  const range = { start: offset, end: offset + sizeBytes - 1, autoClose: false };
  await pipeline(
    file.createReadStream({ ...range, highWaterMark: 1 << 20 }),
    createWriteStream(to, { flags: "wx", mode: 0o644, flush: true }),
  );
}
