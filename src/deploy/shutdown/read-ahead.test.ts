import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import { machineOf } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { readAheadOfShutdown } from "./read-ahead.ts";

/** A machine whose next shutdown applies a deployment, with a kernel that cannot be read as a file. */
async function machineWithOddKernel() {
  const machine = await machineOf("2022.7");
  const { ctx, transcript } = scriptedContext(machine.root, []);
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) throw new Error("nothing is staged");
  const dir = namedDeploymentDir(join(machine.root, "sysroot"), staged);
  await mkdir(join(dir, "usr/etc/deep/er"), { recursive: true });
  await writeFile(join(dir, "usr/etc/deep/er/file"), "text");
  await mkdir(join(dir, "usr/lib/modules/6.1/vmlinuz"), { recursive: true });
  return { machine, ctx, transcript };
}

test("what cannot be read ahead is only noted", async () => {
  const { machine, ctx, transcript } = await machineWithOddKernel();
  await rm(join(machine.root, "run/ostree/staged-deployment-locked"), { force: true });
  await readAheadOfShutdown(ctx);
  expect(transcript()).toContain("! note: not everything is read ahead of the shutdown: EISDIR");
});

test("nothing is read ahead of a shutdown that applies nothing", async () => {
  const { machine, ctx, transcript } = await machineWithOddKernel();
  await writeFile(join(machine.root, "run/ostree/staged-deployment-locked"), "");
  await readAheadOfShutdown(ctx);
  expect(transcript()).toBe("\n\n");
});

test("what reading has changed is written before the shutdown", async () => {
  const { machine, ctx } = await machineWithOddKernel();
  await rm(join(machine.root, "run/ostree/staged-deployment-locked"), { force: true });
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) throw new Error("nothing is staged");
  const dir = namedDeploymentDir(join(machine.root, "sysroot"), staged);
  await rm(join(dir, "usr/lib/modules/6.1/vmlinuz"), { recursive: true });
  const flushes = ["sysroot", "boot"].map(
    (it) => [`+ sync --file-system ROOT/${it}`] satisfies ScriptLine,
  );
  const flushing = scriptedContext(machine.root, flushes);
  await readAheadOfShutdown(flushing.ctx);
  flushing.requireAllUsed();
  expect(flushing.transcript()).not.toContain("note: ");
});
