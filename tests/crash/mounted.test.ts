import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readMounted, type Tried } from "./mounted.ts";

const TRIED: Tried = {
  ...{ marks: "", fsck: "", upgrade: "", fsckNext: "" },
  booted: { version: "1", commit: "1" },
};
const TARGET = "/ostree/boot.1/default/sum/0";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "crash-mounted-"));
  for (const it of ["boot/loader/entries", "deploy/1.0/etc", join(TARGET, "..")]) {
    mkdirSync(join(root, it), { recursive: true });
  }
  const entry = `version 1\nlinux /vmlinuz\ninitrd /initramfs\noptions ostree=${TARGET}\n`;
  writeFileSync(join(root, "boot/loader/entries/ostree-1.conf"), entry);
  symlinkSync("../../../../deploy/1.0", join(root, TARGET));
});
afterEach(() => rmSync(root, { recursive: true }));

test("a machine is tried on what its entries boot", async () => {
  const facts = await readMounted(root, () => TRIED);
  expect(facts).toMatchObject({ ...TRIED, targets: { [TARGET]: "" }, next: facts.entries });
  expect(facts.entries).toMatchObject([{ deployment: "1.0", target: TARGET }]);
});

test("a disk without entries is not tried", async () => {
  const fail = () => expect.unreachable();
  rmSync(join(root, "boot/loader/entries/ostree-1.conf"));
  expect(await readMounted(root, fail)).toMatchObject({ entries: [] });
  rmSync(join(root, "boot/loader/entries"), { recursive: true });
  expect((await readMounted(root, fail)).entries).toMatch("ENOENT");
});

test.each<[string, () => Tried, string]>([
  [
    "machine cannot boot",
    () => {
      throw new Error("ENOENT: no such link");
    },
    "it cannot be tried: ENOENT: no such link",
  ],
  [
    "links cannot be read",
    () => expect.unreachable(),
    "it cannot be tried: ELOOP: too many symbolic links encountered, scandir '/ostree/boot.0'",
  ],
])("a disk has failed if its %s", async (what, tryHost, said) => {
  if (what.startsWith("links")) symlinkSync("boot.0", join(root, "ostree/boot.0"));
  const facts = await readMounted(root, tryHost);
  expect(facts.entries).toMatchObject([{ deployment: "1.0" }]);
  const plain = (it: unknown) => String(it).replace(root, "");
  expect([plain(facts.booted), plain(facts.upgrade)]).toEqual([said, said]);
});
