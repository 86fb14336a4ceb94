import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { STATES } from "../../health/states.ts";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import { LOCK, machineOf, play } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { postponeRemoval } from "./postpone-removal.ts";
import { removeSuperseded } from "./superseded.ts";

const ROLLBACK = "6f4f85608f6b33ce2b964c95dcf1c554f3e82dda23198a43daa1f2e29bef4237.0";
const OURS = "[libostree-transient]\npinned=1\nbootc-superseded=true\n";

/** A machine whose next shutdown applies an update, with its kernel in /boot already. */
async function machineWithUpdate(originText: string) {
  const machine = await machineOf("2022.7");
  const { root } = machine;
  const staged = await readStagedDeployment(scriptedContext(root, []).ctx);
  if (staged === undefined) throw new Error("nothing is staged");
  await rm(join(root, "run/ostree/staged-deployment-locked"), { force: true });
  const origin = join(root, `sysroot/ostree/deploy/default/deploy/${ROLLBACK}.origin`);
  await writeFile(origin, originText);
  const dir = namedDeploymentDir(join(root, "sysroot"), staged);
  const boot = join(root, "boot/ostree", `${staged.stateroot}-${staged.bootChecksum}`);
  const kernel = join(boot, "vmlinuz-6.1");
  for (const path of [
    ...[join(dir, "usr/lib/modules/6.1/vmlinuz"), join(dir, "usr/lib/modules/6.1/initramfs.img")],
    join(dir, "usr/lib/systemd/system/bootc-updates.service"),
    ...[kernel, join(boot, "initramfs-6.1.img"), join(root, "run/bootc/finalize-staged.env")],
  ]) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
  }
  return { machine, kernel, tree: dir, readOrigin: () => readFile(origin, "utf8") };
}

test("the deployment that an update supersedes gets a pin that is known as ours", async () => {
  const { machine, readOrigin } = await machineWithUpdate("");
  expect(await play(machine, [LOCK], postponeRemoval)).toBe(`\n${LOCK[0]}\n`);
  expect(await readOrigin()).toBe(OURS);
});

test("a shutdown that may need room in /boot removes it", async () => {
  const { machine, kernel, readOrigin } = await machineWithUpdate("");
  await rm(kernel);
  await play(machine, [], postponeRemoval);
  expect(await readOrigin()).toBe("");
});

test("an ostree that would first make room in /boot removes it", async () => {
  const { machine, readOrigin } = await machineWithUpdate("");
  await rm(join(machine.root, "run/bootc/finalize-staged.env"));
  const version: ScriptLine = ["? ostree --version", " Version: '2025.2'\n"];
  await play(machine, [version], postponeRemoval);
  expect(await readOrigin()).toBe("");
});

test("a system that would not remove it does not get it", async () => {
  const { machine, tree, readOrigin } = await machineWithUpdate("");
  await rm(join(tree, "usr/lib/systemd/system/bootc-updates.service"));
  await play(machine, [], postponeRemoval);
  expect(await readOrigin()).toBe("");
});

test.each([
  ["sys/firmware/efi/efivars/LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "x"],
  ["boot/loader/loader.conf", "timeout 3\ndefault ostree-2.conf\n"],
  ["boot/grub2/grubenv", "# GRUB Environment Block\nsaved_entry=ostree-2\n"],
])("where %s names the entry to boot, the number of entries stays", async (path, text) => {
  const { machine, readOrigin } = await machineWithUpdate("");
  await mkdir(dirname(join(machine.root, path)), { recursive: true });
  await writeFile(join(machine.root, path), text);
  await play(machine, [], postponeRemoval);
  expect(await readOrigin()).toBe("");
});

test("an update that the shutdown does not apply supersedes nothing", async () => {
  const { machine, readOrigin } = await machineWithUpdate("");
  await writeFile(join(machine.root, "run/ostree/staged-deployment-locked"), "");
  await play(machine, [], postponeRemoval);
  expect(await readOrigin()).toBe("");
});

test("a pin of a person is left alone", async () => {
  const text = "[libostree-transient]\npinned=true\n";
  const { machine, readOrigin } = await machineWithUpdate(text);
  await play(machine, [], postponeRemoval);
  await play(machine, [], removeSuperseded);
  expect(await readOrigin()).toBe(text);
});

test("as long as the update is not applied, the rollback only loses our pin", async () => {
  const { machine, readOrigin } = await machineWithUpdate(OURS);
  await play(machine, [], removeSuperseded);
  expect(await readOrigin()).toBe("[libostree-transient]\n");
});

test.each<readonly [string, string]>([
  ...STATES.filter((it) => it !== "none").map(
    (it) => ["sysroot/ostree/bootc/health/trial", `state=${it}\n`] as const,
  ),
  ["boot/loader/entries/ostree-3+2-1.conf", "title x\n"],
  ["run/ostree/nextroot-booted", ""],
])("with %s, nothing is removed", async (path, text) => {
  const { machine, readOrigin } = await machineWithUpdate(OURS);
  const file = join(machine.root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await play(machine, [], removeSuperseded);
  expect(await readOrigin()).toBe(OURS);
});

test("a lock that is held costs only time", async () => {
  const { machine, readOrigin } = await machineWithUpdate("");
  const refusal: ScriptLine = [LOCK[0], new Error("no locks left")];
  expect(await play(machine, [refusal], postponeRemoval)).toContain(
    "! note: the shutdown will remove the old rollback, and take longer: no locks left\n",
  );
  expect(await readOrigin()).toBe("");
});

test("what cannot be read is noted", async () => {
  const { machine } = await machineWithUpdate(OURS);
  await mkdir(join(machine.root, "sysroot/ostree/bootc/health/trial"), { recursive: true });
  expect(await play(machine, [], removeSuperseded)).toContain(
    "! note: removing a superseded deployment: ",
  );
});
