import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assembleHost } from "../../host/assemble-host.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import { expectRefused, LOCK, machineOf, play } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { setOptionsForSource } from "./set-options-for-source.ts";

const OSTREE: ScriptLine = ["? ostree --version", " Version: '2026.1'\n"];

test("a run that finds its arguments staged finishes what a killed one left undone", async () => {
  const it = await machineOf("2025.2");
  const { staged } = assembleHost(await readSysroot(scriptedContext(it.root, []).ctx)).status;
  await mkdir(join(it.root, "run/bootc"), { recursive: true });
  await writeFile(join(it.root, "run/bootc/staging"), `${staged?.image?.imageDigest}\n\n`);
  const script: readonly ScriptLine[] = [OSTREE, LOCK, ["+ ostree admin cleanup"]];
  const said = await play(it, script, (ctx) => setOptionsForSource(ctx, { source: "tuned" }));
  expect(said).toContain("> No changes in the kernel arguments of tuned\n");
});

test("it starts nothing where it may not run", async () => {
  await expectRefused((ctx) => setOptionsForSource(ctx, { source: "tuned" }));
});
