import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import { readNamesIfAny } from "../../system/files.ts";
import type { Machine } from "../../testing/machine-fixture.ts";
import { machineOf } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { copyKernelEarly } from "./early-kernel.ts";

const OLD: ScriptLine = ["? ostree --version", " Version: '2022.7'\n"];
const ENVIRONMENT = "run/bootc/finalize-staged.env";

/** A machine whose staged deployment has these files below /usr/lib/modules. */
async function machineWith(files: Readonly<Record<string, string>>) {
  const machine = await machineOf("2025.2");
  const { ctx } = scriptedContext(machine.root, []);
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) throw new Error("nothing is staged");
  const modules = join(
    namedDeploymentDir(join(machine.root, "sysroot"), staged),
    "usr/lib/modules",
  );
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(modules, path, ".."), { recursive: true });
    await writeFile(join(modules, path), text);
  }
  const top = join(machine.root, "boot/ostree");
  const dir = join(top, `${staged.stateroot}-${staged.bootChecksum}`);
  await rm(dir, { recursive: true, force: true });
  return { machine, dir, modules, bootChecksum: staged.bootChecksum };
}

async function copy({ root }: Machine, script: readonly ScriptLine[]): Promise<string> {
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script);
  await copyKernelEarly(ctx);
  requireAllUsed();
  return transcript();
}

const TREE = { "6.1/dtb/board.dtb": "tree" };

test("the kernel and the initramfs get to /boot as ostree names them", async () => {
  const { machine, dir, modules } = await machineWith({
    ...{ "6.1/vmlinuz": "kernel", "6.1/initramfs.img": "ram", "6.1/modules.dep": "" },
    ...TREE,
  });
  expect(await copy(machine, [OLD])).toBe("\n? ostree --version\n");
  expect((await readdir(dir)).sort()).toEqual(["initramfs-6.1.img", "vmlinuz-6.1"]);
  expect(await readFile(join(dir, "initramfs-6.1.img"), "utf8")).toBe("ram");
  // Where it is possible, a second name of the same file, as ostree would make it.
  const inode = async (path: string) => (await stat(path)).ino;
  expect(await inode(join(dir, "vmlinuz-6.1"))).toBe(await inode(join(modules, "6.1/vmlinuz")));
  expect(await readNamesIfAny(join(machine.root, "run/bootc"))).toEqual([]);
});

test("an ostree that would remove the copy first is told not to", async () => {
  const { machine } = await machineWith({
    ...{ "6.1/vmlinuz": "kernel", "6.1/initramfs": "ram" },
    ...TREE,
  });
  await copy(machine, [["? ostree --version", " Version: '2025.2'\n"]]);
  const text = await readFile(join(machine.root, ENVIRONMENT), "utf8");
  expect(text).toBe("OSTREE_SYSROOT_OPTS=no-early-prune\n");
  // Until something else is staged.
  await rm(join(machine.root, "run/ostree/staged-deployment"));
  await copy(machine, []);
  expect(await readNamesIfAny(join(machine.root, "run/bootc"))).toEqual([]);
});

test("files that do not have the hash in the name of their directory are not left there", async () => {
  const { machine, dir, bootChecksum } = await machineWith({
    ...{ "6.1/vmlinuz": "kernel", "6.1/initramfs.img": "damaged" },
  });
  expect(createHash("sha256").update("kerneldamaged").digest("hex")).not.toBe(bootChecksum);
  expect(await copy(machine, [OLD])).toContain("do not have the checksum that ostree computed");
  expect(await readdir(dir)).toEqual([]);
});

test("what a run that was killed has left of its copies is removed", async () => {
  const { machine, dir } = await machineWith({
    ...{ "6.1/vmlinuz": "kernel", "6.1/initramfs.img": "ram" },
    ...TREE,
  });
  await mkdir(dir, { recursive: true });
  const left = [".vmlinuz-6.1.bootc-tmp", ".initramfs-6.1.img.bootc-tmp"];
  for (const name of [...left, "vmlinuz-6.1", "initramfs-6.1.img"]) {
    await writeFile(join(dir, name), "");
  }
  await copy(machine, [OLD]);
  expect((await readdir(dir)).sort()).toEqual(["initramfs-6.1.img", "vmlinuz-6.1"]);
});

test.each([
  ["two kernels", { "6.1/vmlinuz": "a", "6.1/initramfs.img": "b", "6.2/vmlinuz": "c" }],
  ["no initramfs beside the kernel", { "6.1/vmlinuz": "a" }],
  ["no kernel", { "6.1/modules.dep": "" }],
])("with %s, the choice is left to ostree", async (_, files) => {
  const { machine, dir } = await machineWith(files as Readonly<Record<string, string>>);
  expect(await copy(machine, [])).toBe("\n\n");
  expect(await readNamesIfAny(dir)).toEqual([]);
});
