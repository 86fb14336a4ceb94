// Reads a file system by the code of GRUB, which does not replay journals: what a boot loader finds after a power cut.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attempt } from "../vm/shell.ts";
import type { TreeReader } from "./system-facts.ts";

/** `device` is a block device or a file with one file system. */
export function grubReader(device: string): TreeReader {
  const grub = async (...words: readonly string[]) => {
    const { status, stdout, stderr } = await attempt("grub-fstest", [device, ...words]);
    if (status !== 0) throw new Error(stderr.trim().slice(0, 300));
    return stdout;
  };
  return {
    async list(path) {
      const names = (await grub("ls", `(loop0)${path}/`)).split(/\s+/);
      return names.filter((it) => it !== "").map((it) => it.replace(/\/$/, ""));
    },
    async read(path) {
      const dir = await mkdtemp(join(tmpdir(), "bootc-grub-"));
      try {
        const copy = join(dir, "file");
        await grub("cp", `(loop0)${path}`, copy);
        return await readFile(copy);
      } finally {
        await rm(dir, { recursive: true });
      }
    },
  };
}
