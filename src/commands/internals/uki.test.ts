import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { makeUki, type SectionSpec } from "../../testing/uki.ts";
import { ukiExtract } from "./uki.ts";

let dir = "";
let out = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "uki-"));
  out = join(dir, "out");
});
afterEach(() => rmSync(dir, { recursive: true }));

const UNAME = { name: ".uname", content: "6.12.0\n" };
const LINUX = { name: ".linux", content: Buffer.alloc(3_000_001, "kernel") };
const INITRD = { name: ".initrd", content: "initramfs" };

async function extract(specs: readonly SectionSpec[]): Promise<void> {
  const file = join(dir, "image.efi");
  writeFileSync(file, makeUki(specs));
  await ukiExtract(scriptedContext("/", []).ctx, file, out);
}

test("the kernel and the initramfs get into a directory named by the version", async () => {
  await extract([UNAME, { name: ".osrel", content: "ID=x" }, LINUX, INITRD]);
  expect(readdirSync(out)).toEqual(["6.12.0"]);
  expect(readdirSync(join(out, "6.12.0"))).toEqual(["initramfs.img", "vmlinuz"]);
  expect(readFileSync(join(out, "6.12.0/vmlinuz")).equals(LINUX.content)).toBe(true);
  expect(readFileSync(join(out, "6.12.0/initramfs.img"), "utf8")).toBe("initramfs");
});

test("a directory that exists stays as it is", async () => {
  mkdirSync(join(out, "6.12.0"), { recursive: true });
  await expect(extract([UNAME, LINUX, INITRD])).rejects.toThrow("/out/6.12.0` exists");
  expect(readdirSync(join(out, "6.12.0"))).toEqual([]);
});

test.each([
  { what: "without an initramfs", specs: [UNAME, LINUX] },
  { what: "without a version", specs: [LINUX, INITRD] },
  {
    what: "whose version leads elsewhere",
    specs: [{ name: ".uname", content: "../x" }, LINUX, INITRD],
  },
])("an image $what is refused before anything is written", async ({ specs }) => {
  await expect(extract(specs)).rejects.toMatchObject({ kind: "usage" });
  expect(existsSync(out)).toBe(false);
});

test.each(["/dev/null", "/proc", "/proc/version"])("%s is not an image", async (path) => {
  const { ctx } = scriptedContext("/", []);
  await expect(ukiExtract(ctx, path, out)).rejects.toMatchObject({ kind: "usage" });
});
