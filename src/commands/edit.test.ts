import { expect, test } from "vitest";
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
