import { expect, test } from "vitest";
import type { TreeReader } from "../system-facts.ts";
import { readDefault } from "./loader.ts";

const entry = (version: number, name: string) =>
  [
    ...[`title ${name}`, `version ${version}`, "options root=UUID=x ostree=/ostree/boot.1/x"],
    ...[`linux /boot/ostree/${name}/vmlinuz`, `initrd /boot/ostree/${name}/initramfs.img`, ""],
  ].join("\n");

function reader(files: Readonly<Record<string, string>>): TreeReader {
  return {
    list: async (path) =>
      Object.keys(files).flatMap((it) =>
        it.startsWith(`${path}/`) ? it.slice(path.length + 1) : [],
      ),
    read: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`${path} is missing`);
      return Buffer.from(text);
    },
  };
}

test.each(["", "/boot"])("the entry with the highest version starts, below `%s`", async (top) => {
  const files = {
    [`${top}/loader/entries/ostree-1.conf`]: entry(1, "old"),
    [`${top}/loader/entries/ostree-2.conf`]: entry(2, "new"),
    [`${top}/ostree/new/vmlinuz`]: "a kernel",
    [`${top}/ostree/new/initramfs.img`]: "an initramfs",
  };
  const { options, kernel, initramfs } = await readDefault(reader(files), top);
  expect(options).toBe("root=UUID=x ostree=/ostree/boot.1/x");
  expect([kernel.toString(), initramfs.toString()]).toEqual(["a kernel", "an initramfs"]);
});

test("without an entry, or without its kernel, nothing starts", async () => {
  await expect(readDefault(reader({}), "")).rejects.toThrow("it finds no entry");
  const files = { "/loader/entries/ostree-1.conf": entry(1, "old") };
  await expect(readDefault(reader(files), "")).rejects.toThrow("vmlinuz is missing");
});
