import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assembleHost } from "../host/assemble-host.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import { expectRefused, LOCK, machineOf, play } from "../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { edit } from "./edit.ts";

test("an editor that changes nothing changes nothing", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [["+ vi -u NONE TMP/host.yaml"], LOCK];
  const { ctx, transcript, requireAllUsed } = scriptedContext(it.root, script, {
    env: { EDITOR: "vi  -u NONE" },
  });
  await edit(ctx, {});
  requireAllUsed();
  expect(transcript()).toMatchInlineSnapshot(`
    "
    + vi -u NONE TMP/host.yaml
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    > Edit cancelled, no changes made.
    "
  `);
});

test("edit finishes what a killed run left undone after it had staged", async () => {
  const it = await machineOf("2025.2");
  const { staged } = assembleHost(await readSysroot(scriptedContext(it.root, []).ctx)).status;
  await mkdir(join(it.root, "run/bootc"), { recursive: true });
  await writeFile(join(it.root, "run/bootc/staging"), `${staged?.image?.imageDigest}\n\n`);
  const script: readonly ScriptLine[] = [["+ vi TMP/host.yaml"], LOCK, ["+ ostree admin cleanup"]];
  const { ctx, requireAllUsed } = scriptedContext(it.root, script, { env: { EDITOR: "vi" } });
  await edit(ctx, {});
  requireAllUsed();
});

test("without an editor edit says what to do", async () => {
  expect(await play(await machineOf("2025.2"), [], (ctx) => edit(ctx, {}))).toMatchInlineSnapshot(`
    "

    error: $EDITOR is unset, and no backup editor found
    "
  `);
});

test("edit starts nothing where it may not run", async () => {
  await expectRefused((ctx) => edit(ctx, {}));
});
