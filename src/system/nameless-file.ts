// A file without a name: it is gone as soon as nobody has it open, however those who do come to an end.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/** A new, empty file on the file system of `dir`, to read and to write. */
export async function openNameless(dir: string): Promise<FileHandle> {
  const path = join(dir, `.bootc-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  try {
    await unlink(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
